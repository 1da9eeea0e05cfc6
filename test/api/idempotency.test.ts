import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { CALLER_CACHE_MS } from '../../src/api/authenticate.ts';
import { forgetIdempotencyKeys } from '../../src/challenges/store.ts';
import { newApiKey } from '../../src/tenants/keys.ts';
import { insertKey, setDefaultExpiry } from '../../src/tenants/store.ts';
import { expectRefusal } from '../support/refusal.ts';
import { countRows } from '../support/rows.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const EMAIL = 'ada@example.com';
const REUSED = {
  code: 'idempotency_key_reused',
  error: 'Idempotency-Key was used before with a different request',
  field: 'Idempotency-Key',
};

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api', env: HTTPS });
});
afterAll(() => server.close());

const post = (idempotencyKey: string, body: object = { target_user_email: EMAIL }, key = server.apiKey) =>
  server.request
    .post('/api/v1/challenges')
    .set('X-API-Key', key)
    .set('Idempotency-Key', idempotencyKey)
    .send(body);
/** How many challenges the work creates. */
async function created(work: () => Promise<unknown>): Promise<number> {
  const before = await countRows(server.db, 'challenges');
  await work();
  return (await countRows(server.db, 'challenges')) - before;
}

test('a repeated create gets the same answer, byte for byte, and says so', async () => {
  const rows = await created(async () => {
    const first = await post('repeat').expect(201);
    const second = await post('repeat').expect(201);
    expect(first.headers['idempotency-replayed']).toBeUndefined();
    expect(second.headers['idempotency-replayed']).toBe('true');
    expect(second.text).toBe(first.text);
    expect(second.headers.location).toBe(first.headers.location);
  });
  expect(rows).toBe(1);
});

test('20 at once get one answer and make one challenge', async () => {
  const rows = await created(async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => post('at-once').expect(201)));
    expect(new Set(all.map(({ text }) => text)).size).toBe(1);
    expect(all.filter(({ headers }) => headers['idempotency-replayed'] === undefined)).toHaveLength(1);
  });
  expect(rows).toBe(1);
});

test('of 20 different requests at once under one key, one is created and the others conflict', async () => {
  const rows = await created(async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, n) => post('mixed', { target_user_id: `user${n}` })),
    );
    expect(all.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const answer of all.filter(({ status }) => status !== 201)) expectRefusal(answer, 409, REUSED);
  });
  expect(rows).toBe(1);
});

test('the same request may be written differently: order, white space, nulls', async () => {
  const first = await post('spelling', { target_user_email: EMAIL, context: 'Reset' }).expect(201);
  for (const body of [
    { context: 'Reset', target_user_email: EMAIL },
    { target_user_email: ` ${EMAIL} `, context: 'Reset', requester_id: null, expiry_minutes: null },
    { target_user_email: EMAIL, context: 'Reset', requester_id: 'webhook', metadata: {} },
  ]) {
    expect((await post('spelling', body).expect(201)).text).toBe(first.text);
  }
});

test.each<[string, object]>([
  ['target_user_email', { target_user_email: 'bob@example.com' }],
  ['context', { target_user_email: EMAIL, context: 'Other' }],
  ['expiry_minutes', { target_user_email: EMAIL, expiry_minutes: 16 }],
  ['callback_url', { target_user_email: EMAIL, callback_url: 'https://hooks.example.com/' }],
  ['metadata', { target_user_email: EMAIL, metadata: { ticket: '1' } }],
])('another %s under the same key is a conflict and creates nothing', async (field, other) => {
  const key = `conflict-${field}`;
  await post(key).expect(201);
  expect(await created(async () => expectRefusal(await post(key, other), 409, REUSED))).toBe(0);
  // The first is still there.
  await post(key).expect(201).expect('Idempotency-Replayed', 'true');
});

test('the key belongs to the integration: another one may use it, a new API key of it goes on', async () => {
  const one = await server.integration();
  const first = await post('shared', undefined, one.apiKey).expect(201);
  const two = await server.integration();
  const foreign = await server.integration({ newTenant: true });
  for (const { apiKey } of [two, foreign]) {
    const answer = await post('shared', { target_user_id: 'somebody else' }, apiKey).expect(201);
    expect(answer.headers['idempotency-replayed']).toBeUndefined();
  }
  const { key, ...stored } = newApiKey('test');
  await insertKey(server.db, { integration_id: one.integrationId, ...stored });
  expect((await post('shared', undefined, key).expect(201)).text).toBe(first.text);
});

test('the answer stays as it was given when settings change in between', async () => {
  const { tenant_id, apiKey } = await server.integration({ mode: 'live', newTenant: true });
  const body = { target_user_email: EMAIL, nickname: 'Ada' };
  const first = await post('settings', body, apiKey).expect(201);
  expect((first.body as { warnings: string[] }).warnings).toHaveLength(2);
  await setDefaultExpiry(server.db, tenant_id, 90);
  await server.provider('veriff', { api_key: 'k' }, { mode: 'live', tenant_id });
  await sleep(CALLER_CACHE_MS);
  expect((await post('settings', body, apiKey).expect(201)).text).toBe(first.text);
});

test('the answer stays as it was given when the challenge has ended', async () => {
  const first = await post('ended').expect(201);
  const { location = '' } = first.headers;
  await server.request.post(`${location}/cancel`).set('X-API-Key', server.apiKey).expect(200);
  expect((await post('ended').expect(201)).text).toBe(first.text);
});

test.each(['', 'with space', 'tab\there', '\u00fcmlaut', 'a'.repeat(256)])(
  '%j is no key: 400',
  async (key) => {
    const rows = await created(async () =>
      expectRefusal(await post(key), 400, { code: 'invalid', field: 'Idempotency-Key' }),
    );
    expect(rows).toBe(0);
  },
);

test.each(['!', '~', 'a'.repeat(255), '"quoted"', 'a,b;c=d', '../../x', '__proto__'])(
  '%j is a key',
  async (key) => {
    const first = await post(key).expect(201);
    expect((await post(key).expect(201)).text).toBe(first.text);
  },
);

test('a refused create does not burn the key', async () => {
  expectRefusal(await post('refused', {}), 400, { code: 'invalid', field: 'target_user_id' });
  const badUrl = { target_user_email: EMAIL, callback_url: 'http://10.0.0.1/' };
  expectRefusal(await post('refused', badUrl), 400, { code: 'invalid', field: 'callback_url' });
  const answer = await post('refused').expect(201);
  expect(answer.headers['idempotency-replayed']).toBeUndefined();
});

test('a key is forgotten after its time, and not before', async () => {
  const first = await post('old').expect(201);
  await forgetIdempotencyKeys(server.db, new Date(Date.now() - 60_000));
  expect((await post('old').expect(201)).text).toBe(first.text);
  await forgetIdempotencyKeys(server.db, new Date(Date.now() + 1));
  const rows = await created(() => post('old', { target_user_id: 'somebody else' }).expect(201));
  expect(rows).toBe(1);
});

test('without a key every create is a new challenge', async () => {
  expect(await created(() => Promise.all([server.create(), server.create()]))).toBe(2);
});
