import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createPerson } from '../support/person.ts';
import { expectRefusal } from '../support/refusal.ts';
import { letPass, makeOverdue } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';

const NOT_FOUND = { code: 'not_found', error: 'Challenge not found' };
const DISPUTED = 'Challenge was disputed: the person reported that it was not them';

// The role runs no sweep: what is overdue stays as it was stored.
let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
});
afterAll(() => server.close());

const consume = ({ challenge_id }: Pick<Created, 'challenge_id'>, key = server.apiKey) =>
  server.request.post(`/api/v1/challenges/${challenge_id}/consume`).set('X-API-Key', key);
const auditOf = ({ challenge_id }: Created) =>
  server.db
    .selectFrom('audit_entries')
    .selectAll()
    .where('challenge_id', '=', challenge_id)
    .where('action', '=', 'consumed')
    .execute();

/** A challenge that its person has decided; the person can still dispute it. */
async function decided(decision = 'approve') {
  const created = await server.create();
  const person = createPerson(server);
  await person.start(created).expect(303);
  await person.decide(created, decision).expect(303);
  return { created, person };
}

async function expectConflict(created: Created, error: unknown): Promise<void> {
  const before = await server.read(created.challenge_id);
  expectRefusal(await consume(created), 409, { code: 'conflict', error: error as string });
  expect(await server.read(created.challenge_id)).toEqual(before);
}

test('a verified challenge is spent, and reads say when', async () => {
  const { created } = await decided();
  const before = await server.read(created.challenge_id);
  expect(before).toMatchObject({ status: 'verified', consumed_at: null });
  const { body } = await consume(created).expect(200);
  const { consumed_at } = body as { consumed_at: string };
  expect(consumed_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(body).toEqual({ ...before, consumed_at });
  expect(await server.read(created.challenge_id)).toEqual(body);
  expect(await auditOf(created)).toMatchObject([{ actor: `api_key:${server.apiKey.slice(0, 12)}` }]);
});

test('what is not verified cannot be spent, and can be once it is', async () => {
  const created = await server.create();
  const person = createPerson(server);
  await expectConflict(created, 'Challenge is initiated, not verified');
  await person.start(created).expect(303);
  await expectConflict(created, 'Challenge is in-progress, not verified');
  await person.decide(created, 'approve').expect(303);
  await consume(created).expect(200);
});

test.each(['decline', 'report'])('after %s there is nothing to spend', async (decision) => {
  const { created } = await decided(decision);
  await expectConflict(created, 'Challenge is failed, not verified');
});

test('what has expired cannot be spent, also before the sweep has come by', async () => {
  const created = await server.create();
  await makeOverdue(server.db, created.challenge_id);
  await expectConflict(created, 'Challenge is expired, not verified');
});

test('a disputed challenge cannot be spent', async () => {
  const { created, person } = await decided();
  await person.report(created).expect(303);
  await expectConflict(created, DISPUTED);
  expect(await auditOf(created)).toEqual([]);
});

test('a second time is refused, by this key or another of the tenant, and says when it was spent', async () => {
  const { created } = await decided();
  const first = await consume(created).expect(200);
  const { consumed_at } = first.body as { consumed_at: string };
  const { apiKey } = await server.integration();
  for (const key of [server.apiKey, apiKey]) {
    const error = `Challenge was already consumed at ${consumed_at}`;
    expectRefusal(await consume(created, key), 409, { code: 'conflict', error });
  }
  expect(await server.read(created.challenge_id)).toEqual(first.body);
  expect(await auditOf(created)).toHaveLength(1);
});

test('of 20 at once exactly one succeeds', async () => {
  const { created } = await decided();
  const answers = await Promise.all(Array.from({ length: 20 }, () => consume(created)));
  const refused = answers.filter(({ status }) => status !== 200);
  expect(refused).toHaveLength(19);
  for (const answer of refused) {
    const error = expect.stringMatching(/^Challenge was already consumed at /) as unknown as string;
    expectRefusal(answer, 409, { code: 'conflict', error });
  }
  expect(await auditOf(created)).toHaveLength(1);
});

test('spent against disputed: the dispute always counts, and the caller learns if it came first', async () => {
  for (const { created, person } of await Promise.all(Array.from({ length: 10 }, () => decided()))) {
    const [answer] = await Promise.all([consume(created), person.report(created).expect(303)]);
    const read = await server.read(created.challenge_id);
    expect(read).toMatchObject({ status: 'verified', disputed: true, valid_until: null });
    if (answer.status === 200) expect(read.consumed_at).toEqual(expect.any(String));
    else expectRefusal(answer, 409, { code: 'conflict', error: DISPUTED });
    expect(await auditOf(created)).toHaveLength(answer.status === 200 ? 1 : 0);
  }
});

test('the last minute of its validity counts, after it the result is worth nothing', async () => {
  const [early, late] = [await decided(), await decided()];
  await letPass(server.db, early.created.challenge_id, 14);
  await letPass(server.db, late.created.challenge_id, 15);
  await consume(early.created).expect(200);
  const { valid_until } = await server.read(late.created.challenge_id);
  const error = `Challenge is no longer valid: its result was good until ${String(valid_until)}`;
  await expectConflict(late.created, error);
});

test('only the own tenant in the own mode may spend it', async () => {
  const { created } = await decided();
  const foreign = await server.integration({ newTenant: true });
  const live = await server.integration({ mode: 'live' });
  for (const { apiKey } of [foreign, live]) expectRefusal(await consume(created, apiKey), 404, NOT_FOUND);
  expectRefusal(await consume({ challenge_id: 'not-a-uuid' }), 404, NOT_FOUND);
  expect(await server.read(created.challenge_id)).toMatchObject({ consumed_at: null });
});
