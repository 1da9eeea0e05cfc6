import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expireDue } from '../../src/challenges/expire.ts';
import { createPerson } from '../support/person.ts';
import { expectRefusal } from '../support/refusal.ts';
import { countRows, makeOverdue } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const NOT_FOUND = { code: 'not_found', error: 'Challenge not found' };

// The role runs no sweep: what is overdue stays as it was stored.
let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
});
afterAll(() => server.close());

const get = (id: string, key = server.apiKey) =>
  server.request.get(`/api/v1/challenges/${id}`).set('X-API-Key', key);

test('a challenge reads as it stands: created, started, verified', async () => {
  const created = await server.create({ target_user_id: 'user123', context: 'Reset' });
  const { challenge_id, expires_at } = created;
  const fresh = {
    ...{ challenge_id, expires_at, status: 'initiated', completed_at: null, is_expired: false },
    ...{ device_fingerprint: null, target_response: null, auth_method: null, failure_reason: null },
    ...{ target_user_id: 'user123', target_user_email: 'ada@example.com', context: 'Reset' },
    ...{ requester_id: 'webhook', metadata: {}, mode: 'test' },
    ...{ device_fingerprint_status: 'pending', incident: null, disputed: false, erased_at: null },
    ...{
      valid_until: null,
      consumed_at: null,
      provider: null,
      return_url: null,
      slack_instance_id: null,
      requester_email: null,
    },
    ...{ provider_status: null, provider_signals: [], progress: [], ticket: null },
    ...{ auth_time: null, acr: null, amr: null, subject: null, subject_match: null },
    verification_code: created.verification_code,
  };
  const { created_at, ...others } = await server.read(challenge_id);
  expect(others).toEqual(fresh);
  expect(created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

  const person = createPerson(server);
  await person.start(created).set('User-Agent', 'Mozilla/5.0 (Windows NT 10.0) Firefox/140.0').expect(303);
  const started = await server.read(challenge_id);
  expect(started).toMatchObject({
    ...{ status: 'in-progress', completed_at: null, device_fingerprint_status: 'collected' },
  });
  expect(started.device_fingerprint).toMatchObject({
    ...{ browser: 'Firefox 140.0', os: 'Windows 10 or 11', ip: '127.0.0.1' },
  });

  await person.decide(created, 'approve').expect(303);
  const verified = await server.read(challenge_id);
  expect(verified).toMatchObject({ status: 'verified', auth_method: 'sandbox', failure_reason: null });
  expect(verified).toMatchObject({ device_fingerprint_status: 'collected', incident: null, disputed: false });
  const [completed, valid] = [verified.completed_at, verified.valid_until].map((time) =>
    Date.parse(String(time)),
  );
  expect(completed).toBeLessThan(Date.parse(expires_at));
  expect(valid).toBe(Number(completed) + 15 * 60_000);
});

test('of many reads at once each gets its own answer, whoever asks', async () => {
  const foreign = (await server.integration({ newTenant: true })).apiKey;
  const keys = [server.apiKey, foreign];
  const owned = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => ({
      owner: keys[n % 2],
      id: (await server.create({ context: `number ${n}` }, keys[n % 2])).challenge_id,
      context: `number ${n}`,
    })),
  );
  await Promise.all(
    owned.flatMap(({ owner, id, context }) =>
      keys.map(async (key) => {
        const answer = await get(id, key);
        if (key !== owner) return expectRefusal(answer, 404, NOT_FOUND);
        expect(answer.body).toMatchObject({ challenge_id: id, context });
      }),
    ),
  );
});

test('nothing about the link, the browser or the tenant is in the answer', async () => {
  const created = await server.create();
  await createPerson(server).start(created);
  const { text } = await get(created.challenge_id).expect(200);
  for (const secret of ['token', 'hash', 'tenant', 'integration', 'callback_url']) {
    expect(text).not.toContain(secret);
  }
});

test('another key of the same tenant and mode reads it too', async () => {
  const { challenge_id } = await server.create();
  const { apiKey } = await server.integration();
  expect(await server.read(challenge_id, apiKey)).toEqual(await server.read(challenge_id));
});

test('for a key of another tenant or mode it does not exist', async () => {
  const { challenge_id } = await server.create();
  const foreign = await server.integration({ newTenant: true });
  const live = await server.integration({ mode: 'live' });
  expectRefusal(await get(challenge_id, foreign.apiKey), 404, NOT_FOUND);
  expectRefusal(await get(challenge_id, live.apiKey), 404, NOT_FOUND);
});

test.each([
  '00000000-0000-4000-8000-000000000000',
  '550e8400-e29b-41d4-a716-446655440000',
  'not-a-uuid',
  '1',
  "'; drop table challenges; --",
  '{550e8400-e29b-41d4-a716-446655440000}',
  'null',
  '__proto__',
  'x'.repeat(5_000),
  'ünï',
])('%s is not found', async (id) => {
  expectRefusal(await get(encodeURIComponent(id)), 404, NOT_FOUND);
});

test('an id in capitals is the same id', async () => {
  const { challenge_id } = await server.create();
  expect((await server.read(challenge_id.toUpperCase())).challenge_id).toBe(challenge_id);
});

test.each([false, true])('past its deadline it reads as expired at once (started: %s)', async (started) => {
  const created = await server.create();
  if (started) await createPerson(server).start(created).expect(303);
  await makeOverdue(server.db, created.challenge_id);
  const read = await server.read(created.challenge_id);
  expect(read).toMatchObject({ status: 'expired', is_expired: true, completed_at: read.expires_at });
  expect(read.device_fingerprint_status).toBe(started ? 'collected' : 'unavailable');
  expect(await countRows(server.db, 'events')).toBe(await endedCount());

  // The sweep writes down exactly what was read before.
  await expireDue({ db: server.db, now: () => new Date(), wake: () => undefined });
  expect(await server.read(created.challenge_id)).toEqual(read);
  expect(await countRows(server.db, 'events')).toBe(await endedCount());
});

test('one that ended in time does not turn into an expired one', async () => {
  const created = await server.create();
  const person = createPerson(server);
  await person.start(created);
  await person.decide(created, 'decline').expect(303);
  const before = await server.read(created.challenge_id);
  await makeOverdue(server.db, created.challenge_id);
  const { status, is_expired, completed_at } = await server.read(created.challenge_id);
  expect({ status, is_expired }).toEqual({ status: 'failed', is_expired: false });
  expect(completed_at).toBe(before.completed_at);
});

async function endedCount(): Promise<number> {
  const rows = await server.db
    .selectFrom('challenges')
    .select('id')
    .where('completed_at', 'is not', null)
    .execute();
  return rows.length;
}
