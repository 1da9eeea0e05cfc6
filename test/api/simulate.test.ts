import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { readConfig } from '../../src/config.ts';
import { HELD_LANE } from '../../src/deliveries/hold-store.ts';
import { serve } from '../../src/serve.ts';
import { deliveriesOf } from '../support/deliveries.ts';
import { cookiesOf, createPerson } from '../support/person.ts';
import { expectRefusal } from '../support/refusal.ts';
import { makeOverdue } from '../support/rows.ts';
import { BACKENDS, HTTPS, startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';
import { startSink } from '../support/sink.ts';
import { until } from '../support/until.ts';

const PATH = '/api/v1/challenges';
const NOBODY = '00000000-0000-4000-8000-000000000000';
const COMMENT = 'A test target reports every challenge.';
/** What becomes of a challenge, as a callback says it. */
const ENDINGS: [outcome: string, expected: Record<string, unknown>][] = [
  ['verify', { event_type: 'challenge.completed', status: 'verified', auth_method: 'sandbox' }],
  ['deny', { event_type: 'challenge.completed', status: 'failed', failure_reason: 'declined' }],
  ['expire', { event_type: 'challenge.expired', status: 'expired', auth_method: null }],
  [
    'incident',
    {
      ...{ event_type: 'challenge.incident_reported', status: 'failed' },
      failure_reason: 'incident_reported',
    },
  ],
];

type Person = ReturnType<typeof createPerson>;

const trailOf = ({ db }: TestServer, id: string) =>
  db.selectFrom('audit_entries').selectAll().where('challenge_id', '=', id).orderBy('id').execute();

describe.each(BACKENDS)('test targets, queue on %s', (backend) => {
  let server: TestServer;
  let sink: Awaited<ReturnType<typeof startSink>>;
  beforeAll(async () => {
    server = await startServer({ backend });
    sink = await startSink();
  });
  afterAll(async () => {
    await server.close();
    await sink.close();
  });

  test('decide by themselves a second after they are created, and the callback says how', async () => {
    const begun = Date.now();
    const ids = await Promise.all(
      ENDINGS.map(async ([name]) => {
        const wish = { target_user_email: `${name}@Countersign.TEST`, callback_url: sink.url };
        return (await server.create(wish)).challenge_id;
      }),
    );
    for (const [index, [name, expected]] of ENDINGS.entries()) {
      const { json } = await sink.waitFor(ids[index]!);
      expect(json).toMatchObject({ ...expected, auth_time: null });
      expect(json.incident).toEqual(
        name === 'incident' ? { reported_at: expect.any(String), comment: COMMENT } : null,
      );
    }
    expect(Date.now() - begun).toBeGreaterThanOrEqual(1_000);
  });

  test('that are slow begin by themselves, and are verified when their time has come', async () => {
    const wish = { target_user_email: 'slow@countersign.test', callback_url: sink.url };
    const { challenge_id } = await server.create(wish);
    await until(async () => (await server.read(challenge_id)).status === 'in-progress', 'a beginning');
    expect(sink.of(challenge_id)).toEqual([]);
    await sql`update challenges set acts_at = now() where id = ${challenge_id}`.execute(server.db);
    expect((await sink.waitFor(challenge_id)).json).toMatchObject({ status: 'verified' });
  });
});

test('what a test target could not do while nothing swept happens once when workers come back', async () => {
  const server = await startServer({ role: 'api' });
  const sink = await startSink();
  const { challenge_id } = await server.create({
    ...{ target_user_email: 'deny@countersign.test', callback_url: sink.url },
  });
  const workers = await Promise.all([1, 2].map(() => serve(readConfig(server.settings), 'worker')));
  expect((await sink.waitFor(challenge_id)).json).toMatchObject({ failure_reason: 'declined' });
  for (const worker of workers) await worker.close();
  expect(sink.of(challenge_id)).toHaveLength(1);
  await server.close();
  await sink.close();
});

describe('with no sweep', () => {
  let server: TestServer;
  let liveKey: string;
  beforeAll(async () => {
    server = await startServer({ role: 'api', env: HTTPS });
    liveKey = (await server.integration({ mode: 'live' })).apiKey;
  });
  afterAll(() => server.close());

  const create = (email: string, key = server.apiKey) =>
    server.request.post(PATH).set('X-API-Key', key).send({ target_user_email: email });
  const simulate = (id: string, body: object | string, key = server.apiKey) =>
    server.request
      .post(`${PATH}/${id}/simulate`)
      .set({ 'X-API-Key': key, 'Content-Type': 'application/json' })
      .send(body);
  const begin = async () => (await server.create()).challenge_id;

  test('a target that the domain does not have, or one of it in live mode, is refused, and nothing is stored', async () => {
    const count = async () => (await server.request.get(PATH).set('X-API-Key', server.apiKey)).body as object;
    const before = await count();
    const field = 'target_user_email';
    expectRefusal(await create('approve@countersign.test'), 400, {
      ...{ code: 'invalid', field },
      error: `${field} is no test target; those of countersign.test are verify@, deny@, expire@, incident@, slow@`,
    });
    expectRefusal(await create('verify@countersign.test', liveKey), 400, {
      ...{ code: 'invalid', field },
      error: `${field} is a test target (@countersign.test); those are for test mode`,
    });
    expect(await count()).toEqual(before);
  });

  test.each(ENDINGS)('%s ends the challenge at once', async (outcome, { event_type, ...expected }) => {
    const id = await begin();
    const answer = await simulate(id, { outcome, target_response: 'It was me\nindeed' });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ ...expected, target_response: 'It was me\nindeed' });
    const { completed_at, is_expired } = answer.body as Record<string, unknown>;
    expect({ completed_at, is_expired }).toEqual({
      completed_at: expect.any(String),
      is_expired: outcome === 'expire',
    });
    expect(await server.read(id)).toEqual(answer.body);
    const actor = `api_key:${server.apiKey.slice(0, 12)}`;
    const detail = { simulated: true, failure_reason: expected.failure_reason ?? null };
    expect(await trailOf(server, id)).toMatchObject([
      { action: 'created' },
      { actor, action: expected.status, detail },
    ]);
    const events = server.db.selectFrom('events').select('type').where('challenge_id', '=', id);
    expect(await events.execute()).toEqual([{ type: event_type }]);
    const error = `Challenge is already ${String(expected.status)}`;
    expectRefusal(await simulate(id, { outcome }), 409, { code: 'conflict', error });
  });

  test('an incident has the comment that was sent, or none', async () => {
    const answer = await simulate(await begin(), { outcome: 'incident', comment: 'Nobody called me' });
    expect(answer.body).toMatchObject({ incident: { comment: 'Nobody called me' } });
    const silent = await simulate(await begin(), { outcome: 'incident' });
    expect(silent.body).toMatchObject({ incident: { comment: null }, target_response: null });
  });

  test('slow begins at once and is verified 30 seconds later; again, the 30 seconds begin again', async () => {
    const id = await begin();
    expect((await simulate(id, { outcome: 'slow' })).body).toMatchObject({ status: 'in-progress' });
    const waits = async () => {
      const { rows } = await sql<{ seconds: string }>`
        select extract(epoch from acts_at - started_at) as seconds from challenges
        where id = ${id} and acts_as = 'verify'`.execute(server.db);
      return rows.map(({ seconds }) => Number(seconds));
    };
    expect(await waits()).toEqual([30]);
    await simulate(id, { outcome: 'slow' }).expect(200);
    expect(await waits()).toEqual([30]);
    expect((await simulate(id, { outcome: 'deny' })).body).toMatchObject({ status: 'failed' });
  });

  test('what is simulated waits for no browser, although one has begun', async () => {
    const laneAfter = async (end: (created: Created, person: Person, cookie: string) => unknown) => {
      const created = await server.create({ callback_url: 'https://example.com/callback' });
      const person = createPerson(server);
      // By hand, because the server is one for https, and the jar keeps its cookies to itself.
      const cookie = cookiesOf(await person.press(created).expect(303));
      await end(created, person, cookie);
      return (await deliveriesOf(server.db, created.challenge_id)).map(({ lane }) => lane);
    };
    const approved = await laneAfter((created, person, cookie) =>
      person.decide(created, 'approve').set('Cookie', cookie).expect(303),
    );
    expect(approved).toEqual([HELD_LANE]);
    const simulated = await laneAfter(({ challenge_id }) => simulate(challenge_id, { outcome: 'verify' }));
    expect(simulated).toEqual([0]);
  });

  test('a challenge past its deadline is expired already', async () => {
    const id = await begin();
    await makeOverdue(server.db, id);
    const error = 'Challenge is already expired';
    expectRefusal(await simulate(id, { outcome: 'verify' }), 409, { code: 'conflict', error });
  });

  test('of many at once that want different things, one wins', async () => {
    const id = await begin();
    const wishes = ['verify', 'deny', 'expire', 'incident', 'verify', 'deny'];
    const answers = await Promise.all(wishes.map((outcome) => simulate(id, { outcome })));
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409, 409, 409, 409, 409]);
    const winner = answers.find(({ status }) => status === 200);
    expect(await server.read(id)).toEqual(winner?.body);
  });

  test('a key of live mode may not, whatever it names', async () => {
    const error = 'Only challenges of test mode can be simulated; this key is for live mode';
    const live = (await server.create({}, liveKey)).challenge_id;
    for (const id of [live, await begin(), NOBODY])
      expectRefusal(await simulate(id, { outcome: 'verify' }, liveKey), 403, { code: 'forbidden', error });
    expect(await server.read(live, liveKey)).toMatchObject({ status: 'initiated' });
    // Nor does a key of test mode reach a live challenge.
    expectRefusal(await simulate(live, { outcome: 'verify' }), 404, { code: 'not_found' });
  });

  test('a key that may not create may not, and nobody reaches what is not theirs', async () => {
    const id = await begin();
    const keyWith = async (wish: object) => (await server.integration(wish)).apiKey;
    const reader = await keyWith({ rights: { scopes: ['challenges:read'], own_only: false } });
    expectRefusal(await simulate(id, { outcome: 'verify' }, reader), 403, { code: 'forbidden' });
    expectRefusal(await simulate(id, { outcome: 'verify' }, 'wrong'), 401, { code: 'unauthorized' });
    const narrow = await keyWith({ rights: { scopes: ['challenges:create'], own_only: true } });
    for (const key of [await keyWith({ newTenant: true }), narrow])
      expectRefusal(await simulate(id, { outcome: 'verify' }, key), 404, { code: 'not_found' });
    for (const wrong of [NOBODY, 'x'])
      expectRefusal(await simulate(wrong, { outcome: 'verify' }), 404, { code: 'not_found' });
    expect(await server.read(id)).toMatchObject({ status: 'initiated' });
  });

  test.each([
    [{}, 'outcome'],
    [{ outcome: 'approve' }, 'outcome'],
    [{ outcome: ['verify'] }, 'outcome'],
    [{ outcome: 'toString' }, 'outcome'],
    [{ outcome: 'verify', comment: 'x' }, 'comment'],
    [{ outcome: 'incident', comment: 'two\nlines' }, 'comment'],
    [{ outcome: 'verify', target_response: 'x'.repeat(501) }, 'target_response'],
    [{ outcome: 'verify', target_response: 5 }, 'target_response'],
    [{ outcome: 'verify', when: 'now' }, 'when'],
    [[], undefined],
    ['null', undefined],
    ['{', undefined],
    ['', undefined],
  ])('%j is refused, and nothing changes', async (body, field) => {
    const id = await begin();
    const expected = { code: 'invalid', ...(field === undefined ? {} : { field }) };
    expectRefusal(await simulate(id, body), 400, expected);
    expect(await server.read(id)).toMatchObject({ status: 'initiated' });
  });
});
