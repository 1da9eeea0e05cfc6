import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CALLER_CACHE_MS } from '../../src/api/authenticate.ts';
import { sha256 } from '../../src/kernel/crypto.ts';
import { setDefaultExpiry } from '../../src/tenants/store.ts';
import { expectRefusal } from '../support/refusal.ts';
import { countRows, readAllRows } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const PATH = '/api/v1/challenges';
const EMAIL = 'ada@example.com';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api', env: { PUBLIC_URL: 'https://verify.example.com' } });
});
afterAll(() => server.close());

const post = (body: unknown, key = server.apiKey) =>
  server.request
    .post(PATH)
    .set('X-API-Key', key)
    .send(body as object);

/** The window that the server granted, in minutes. */
async function windowOf(created: Created, key = server.apiKey): Promise<number> {
  const { created_at, expires_at } = await server.read(created.challenge_id, key);
  expect(expires_at).toBe(created.expires_at);
  return (Date.parse(String(expires_at)) - Date.parse(String(created_at))) / 60_000;
}

describe('what a create answers', () => {
  test('201, the place to read it, and exactly the documented fields', async () => {
    const before = Date.now();
    const answer = await post({ target_user_id: 'user123' });
    const { challenge_id, verification_url, expires_at, ...others } = answer.body as Created;
    expect(answer.status).toBe(201);
    expect(answer.headers.location).toBe(`${PATH}/${challenge_id}`);
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store' });
    expect(others).toEqual({
      status: 'initiated',
      verification_code: expect.stringMatching(/^\d\d$/) as unknown,
    });
    expect(challenge_id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const [address, token] = verification_url.split('?token=');
    expect(address).toBe(`https://verify.example.com/challenge/start/${challenge_id}`);
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(expires_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Date.parse(expires_at)).toBeGreaterThan(before);
  });

  test('every documented field is kept and read back', async () => {
    const asked = {
      target_user_id: 'user123',
      target_user_email: 'Ada.Lovelace@Example.com',
      ticket: 'INC-4711',
      context: 'Access request:\n\tsensitive system – für Zoë 👩‍💻',
      requester_id: 'itsm-system',
      metadata: { ticket: 'INC-4711', 'a.b_c-d': ' kept as it is \n', empty: '' },
    };
    const answer = await post({ ...asked, callback_url: 'https://hooks.example.com/in', expiry_minutes: 30 });
    const created = answer.body as Created;
    expect(created.warnings).toBeUndefined();
    expect(await server.read(created.challenge_id)).toMatchObject({ ...asked, mode: 'test' });
    expect(await windowOf(created)).toBe(30);
  });

  test('what is left out gets its default; null and empty texts count as left out', async () => {
    const bare = await server.create();
    const nulls = { target_user_id: null, context: null, callback_url: null, requester_id: null };
    const blank = { target_user_id: ' ', context: '', callback_url: '', requester_id: '  ' };
    for (const created of [
      bare,
      await server.create({ ...nulls, expiry_minutes: null, integration_type: null, metadata: null }),
      await server.create(blank),
    ]) {
      expect(created.warnings).toBeUndefined();
      expect(await server.read(created.challenge_id)).toMatchObject({
        ...{ target_user_id: null, target_user_email: EMAIL, context: null, requester_id: 'webhook' },
        ...{ metadata: {}, device_fingerprint: null, completed_at: null, failure_reason: null },
      });
      expect(await windowOf(created)).toBe(15);
    }
  });

  test('the token stands nowhere in the database, only its hash', async () => {
    const created = await server.create({ context: 'look for me' });
    await post({ target_user_email: EMAIL }).set('Idempotency-Key', 'token-search');
    const token = new URL(created.verification_url).searchParams.get('token') ?? '';
    const tables = await readAllRows(server.db);
    const rows = Object.values(tables).flat();
    expect(rows.filter((row) => row.includes(token))).toEqual([]);
    expect(rows.filter((row) => row.includes('?token='))).toEqual([]);
    expect(tables.challenges?.filter((row) => row.includes(sha256(token)))).toHaveLength(1);
  });

  test('unknown fields are ignored and named', async () => {
    const { warnings } = await server.create({ expiry_minuts: 5, constructor: 'x', 'a"b\u0000': 1 });
    expect(warnings).toEqual([
      'unknown field "expiry_minuts" was ignored',
      'unknown field "constructor" was ignored',
      'unknown field "a\\"b\\u0000" was ignored',
    ]);
  });
});

describe('the expiry window', () => {
  test.each([1, 10_080])('%i minutes is granted', async (expiry_minutes) => {
    expect(await windowOf(await server.create({ expiry_minutes }))).toBe(expiry_minutes);
  });

  test.each([0, -1, 10_081, 1.5, 1e300, '30', true, [], {}])('%j is refused', async (expiry_minutes) => {
    const error = 'expiry_minutes must be a whole number from 1 to 10080';
    const answer = await post({ target_user_email: EMAIL, expiry_minutes });
    expectRefusal(answer, 400, { code: 'invalid', field: 'expiry_minutes', error });
  });

  test('a tenant has its own default, the request still wins, and what was granted stays', async () => {
    const { tenant_id, apiKey } = await server.integration({ newTenant: true });
    const granted = await server.create({}, apiKey);
    await setDefaultExpiry(server.db, tenant_id, 90);
    const isNew = async () => (await windowOf(await server.create({}, apiKey), apiKey)) === 90;
    await until(isNew, 'the new default', CALLER_CACHE_MS + 500);
    expect(await windowOf(await server.create({ expiry_minutes: 5 }, apiKey), apiKey)).toBe(5);
    expect(await windowOf(granted, apiKey)).toBe(15);
  });
});

describe('what a create refuses', () => {
  test.each([
    {},
    { target_user_id: '' },
    { target_user_id: null, target_user_email: '  ' },
    { context: 'x' },
  ])('%j: nobody to ask', async (body) => {
    const error = 'target_user_id or target_user_email is required';
    expectRefusal(await post(body), 400, { code: 'invalid', error, field: 'target_user_id' });
  });

  test.each([
    ['target_user_id', 255],
    ['context', 2_000],
    ['requester_id', 255],
  ])('%s holds %i characters and not one more', async (field, max) => {
    for (const letter of ['a', '👍']) {
      const created = await server.create({ [field]: letter.repeat(max) });
      expect(await server.read(created.challenge_id)).toHaveProperty(field, letter.repeat(max));
      const answer = await post({ target_user_email: EMAIL, [field]: letter.repeat(max + 1) });
      const error = `${field} must have at most ${max} characters`;
      expectRefusal(answer, 400, { code: 'invalid', field, error });
    }
  });

  test('target_user_email is an address of at most 254 characters', async () => {
    const longest = `${'a'.repeat(254 - '@example.com'.length)}@example.com`;
    await server.create({ target_user_email: longest });
    for (const target_user_email of [
      `a${longest}`,
      'ada',
      '@example.com',
      'ada@',
      'a b@example.com',
      'a@b@c',
    ]) {
      expectRefusal(await post({ target_user_email }), 400, { code: 'invalid', field: 'target_user_email' });
    }
  });

  test.each<[unknown, string]>([
    ['text', 'metadata'],
    [['a'], 'metadata'],
    [7, 'metadata'],
    [Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`k${n}`, 'v'])), 'metadata'],
    [{ '': 'v' }, 'metadata'],
    [{ 'not this': 'v' }, 'metadata'],
    [{ ['k'.repeat(41)]: 'v' }, 'metadata'],
    [{ count: 1 }, 'metadata.count'],
    [{ nothing: null }, 'metadata.nothing'],
    [{ deep: { a: 'b' } }, 'metadata.deep'],
    [{ long: 'v'.repeat(501) }, 'metadata.long'],
  ])('metadata %j', async (metadata, field) => {
    expectRefusal(await post({ target_user_email: EMAIL, metadata }), 400, { code: 'invalid', field });
  });

  test('metadata of 20 keys of 40 characters with 500 each is kept', async () => {
    const key = (n: number) => `k${n}`.padEnd(40, 'x');
    const metadata = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [key(n), 'é'.repeat(500)]));
    const created = await server.create({ metadata });
    expect((await server.read(created.challenge_id)).metadata).toEqual(metadata);
  });

  test('integration_type is webhook, or slack once there is a workspace', async () => {
    await server.create({ integration_type: 'webhook' });
    for (const [integration_type, error] of [
      [
        'slack',
        'no Slack workspace is configured for this tenant in test mode; see `countersign slack add --help`',
      ],
      ['Webhook', 'integration_type must be "webhook" or "slack"'],
      [1, 'integration_type must be "webhook" or "slack"'],
    ]) {
      const answer = await post({ target_user_email: EMAIL, integration_type });
      expectRefusal(answer, 400, { code: 'invalid', field: 'integration_type', error: String(error) });
    }
  });
});

test('50 creates at once are 50 challenges, each with one audit entry', async () => {
  const before = await countRows(server.db, 'challenges');
  const all = await Promise.all(Array.from({ length: 50 }, () => server.create()));
  expect(new Set(all.map((one) => one.challenge_id)).size).toBe(50);
  expect(new Set(all.map((one) => one.verification_url.split('token=')[1])).size).toBe(50);
  expect((await countRows(server.db, 'challenges')) - before).toBe(50);
  expect(await countRows(server.db, 'audit_entries')).toBe(await countRows(server.db, 'challenges'));
});
