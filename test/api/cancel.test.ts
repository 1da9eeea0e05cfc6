import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createPerson } from '../support/person.ts';
import { expectRefusal } from '../support/refusal.ts';
import { makeOverdue } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { startSink } from '../support/sink.ts';

const NOT_FOUND = { code: 'not_found', error: 'Challenge not found' };

let server: TestServer;
let sink: Awaited<ReturnType<typeof startSink>>;
beforeAll(async () => {
  server = await startServer();
  sink = await startSink();
});
afterAll(async () => {
  await server.close();
  await sink.close();
});

const cancel = (id: string, { on = server, key = on.apiKey }: { on?: TestServer; key?: string } = {}) =>
  on.request.post(`/api/v1/challenges/${id}/cancel`).set('X-API-Key', key);
const eventsOf = (id: string) =>
  server.db.selectFrom('events').selectAll().where('challenge_id', '=', id).execute();
const auditOf = (id: string) =>
  server.db.selectFrom('audit_entries').selectAll().where('challenge_id', '=', id).orderBy('id').execute();

test.each([false, true])(
  'an open challenge ends as failed, canceled, and the callback says so (started: %s)',
  async (started) => {
    const created = await server.create({ callback_url: sink.url });
    if (started) await createPerson(server).start(created).expect(303);
    const answer = await cancel(created.challenge_id).expect(200);
    expect(answer.body).toMatchObject({ status: 'failed', failure_reason: 'canceled', is_expired: false });
    expect(answer.body).toEqual(await server.read(created.challenge_id));
    const { json } = await sink.waitFor(created.challenge_id);
    const { completed_at } = answer.body as { completed_at: string };
    expect(json).toMatchObject({
      ...{ event_type: 'challenge.completed', status: 'failed', failure_reason: 'canceled', completed_at },
    });
    expect((await auditOf(created.challenge_id)).at(-1)).toMatchObject({
      action: 'failed',
      actor: `api_key:${server.apiKey.slice(0, 12)}`,
    });
  },
);

test('the link of a canceled challenge says that it was canceled', async () => {
  const created = await server.create();
  await cancel(created.challenge_id).expect(200);
  const person = createPerson(server);
  for (const page of [await person.open(created), await person.start(created)]) {
    expect(page.status).toBe(410);
    expect(page.text).toContain('This request was canceled');
  }
});

test('canceling again, by this key or another of the tenant, is the same answer and changes nothing', async () => {
  const { challenge_id } = await server.create();
  const first = await cancel(challenge_id).expect(200);
  const { apiKey } = await server.integration();
  for (const key of [server.apiKey, apiKey]) {
    expect((await cancel(challenge_id, { key }).expect(200)).text).toBe(first.text);
  }
  expect(await eventsOf(challenge_id)).toHaveLength(1);
  expect(await auditOf(challenge_id)).toHaveLength(2);
});

test('canceled again after the deadline, it is still canceled, not expired', async () => {
  const { challenge_id } = await server.create();
  await cancel(challenge_id).expect(200);
  await makeOverdue(server.db, challenge_id);
  const answer = await cancel(challenge_id).expect(200);
  expect(answer.body).toMatchObject({ status: 'failed', failure_reason: 'canceled', is_expired: false });
});

test('20 cancels at once all succeed and announce once', async () => {
  const { challenge_id } = await server.create({ callback_url: sink.url });
  const answers = await Promise.all(Array.from({ length: 20 }, () => cancel(challenge_id)));
  expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
  expect(answers[0]?.status).toBe(200);
  expect(await eventsOf(challenge_id)).toHaveLength(1);
});

test('cancel against the person: one of them wins and the other learns of it', async () => {
  const all = await Promise.all(Array.from({ length: 10 }, () => server.create()));
  for (const created of all) {
    const person = createPerson(server);
    await person.start(created);
    const [canceled] = await Promise.all([cancel(created.challenge_id), person.decide(created, 'approve')]);
    const { status } = await server.read(created.challenge_id);
    expect([canceled.status, status]).toEqual(canceled.status === 200 ? [200, 'failed'] : [409, 'verified']);
    expect(await eventsOf(created.challenge_id)).toHaveLength(1);
  }
});

test.each([
  ['approve', 'Challenge is already verified'],
  ['decline', 'Challenge is already failed'],
  ['report', 'Challenge is already failed'],
])('after %s it is too late: 409', async (decision, error) => {
  const created = await server.create();
  const person = createPerson(server);
  await person.start(created);
  await person.decide(created, decision).expect(303);
  const before = await server.read(created.challenge_id);
  expectRefusal(await cancel(created.challenge_id), 409, { code: 'conflict', error });
  expect(await server.read(created.challenge_id)).toEqual(before);
  expect(await eventsOf(created.challenge_id)).toHaveLength(1);
});

test('past the deadline it is too late, whether or not the sweep has come by', async () => {
  const quiet = await startServer({ role: 'api' });
  const { challenge_id } = await quiet.create();
  await makeOverdue(quiet.db, challenge_id);
  const error = 'Challenge is already expired';
  expectRefusal(await cancel(challenge_id, { on: quiet }), 409, { code: 'conflict', error });
  expect(await quiet.db.selectFrom('events').selectAll().execute()).toEqual([]);
  await quiet.close();

  const swept = await server.create({ callback_url: sink.url });
  await makeOverdue(server.db, swept.challenge_id);
  expect((await sink.waitFor(swept.challenge_id)).json.event_type).toBe('challenge.expired');
  expectRefusal(await cancel(swept.challenge_id), 409, { code: 'conflict', error });
});

test('only the own tenant in the own mode may cancel', async () => {
  const { challenge_id } = await server.create();
  const foreign = await server.integration({ newTenant: true });
  const live = await server.integration({ mode: 'live' });
  for (const { apiKey: key } of [foreign, live]) {
    expectRefusal(await cancel(challenge_id, { key }), 404, NOT_FOUND);
  }
  expectRefusal(await cancel('not-a-uuid'), 404, NOT_FOUND);
  expectRefusal(await cancel('550e8400-e29b-41d4-a716-446655440000'), 404, NOT_FOUND);
  expect(await server.read(challenge_id)).toMatchObject({ status: 'initiated' });
});
