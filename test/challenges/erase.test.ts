import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { eraseTarget } from '../../src/challenges/erase.ts';
import { newId } from '../../src/kernel/id.ts';
import { PERSONAL } from '../../src/simulators/veriff-bodies.ts';
import { attemptsOf, deliveriesOf, makeDue, nthAttempt, openSinks, settle } from '../support/deliveries.ts';
import { createPerson } from '../support/person.ts';
import { readAllRows } from '../support/rows.ts';
import { BACKENDS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';

const RIGHTS = { scopes: ['challenges:create', 'challenges:read', 'challenges:erase'], own_only: false };
/** Told of a person in one place or another, and nowhere else. */
const TOLD = {
  target_user_email: 'Zebedee.Quill@example.com',
  target_user_id: 'EMP-77412-ZQ',
  context: 'Wants the payroll of Quillington',
  requester_id: 'Morwenna Thistlewood',
  metadata: { ticket: 'QX-90210-ZEBRA' },
};
const COMMENT = 'I was in Ulan Bator then';
const AGENT = 'QuillBrowser/7.7';
const MARKS = [...Object.values(TOLD).slice(0, 4), 'QX-90210-ZEBRA', COMMENT, AGENT].map(String);

const sinks = openSinks();
afterAll(() => sinks.close());

const erase = (server: TestServer, id: string, key: string) =>
  server.request.post(`/api/v1/challenges/${id}/erase`).set('X-API-Key', key);
const rowOf = ({ db }: TestServer, id: string) =>
  db.selectFrom('challenges').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const bodiesOf = async ({ db }: TestServer, id: string) =>
  (await db.selectFrom('events').select('body').where('challenge_id', '=', id).execute()).map(
    ({ body }) => body,
  );
const staleResults = async ({ request }: TestServer) =>
  Number(/^countersign_stale_finish_total (\d+)/m.exec((await request.get('/metrics')).text)?.[1]);

describe('erasing a challenge', () => {
  let server: TestServer;
  let key: string;
  beforeAll(async () => {
    server = await startServer();
    key = (await server.integration({ rights: RIGHTS })).apiKey;
  });
  afterAll(() => server.close());

  /** A challenge in which the person told all there is to tell; its receiver quotes the callback and fails. */
  async function tellAll() {
    const sink = await sinks.open((response, { body }) => response.writeHead(500).end(body));
    const created = await server.create({ ...TOLD, callback_url: sink.url });
    const person = createPerson(server);
    await person.start(created).set('User-Agent', AGENT).expect(303);
    await person.decide(created, 'report', COMMENT).expect(303);
    await nthAttempt(server.db, created.challenge_id, 1);
    return { created, person, sink, id: created.challenge_id };
  }

  test('leaves a tombstone, and nothing about the person in any table', async () => {
    const { id } = await tellAll();
    const before = JSON.stringify(await readAllRows(server.db));
    expect(MARKS.filter((mark) => !before.includes(mark))).toEqual([]);

    const { status, event_sequence, incident_reported_at } = await rowOf(server, id);
    await erase(server, id, key).expect(200);
    const after = JSON.stringify(await readAllRows(server.db)).toLowerCase();
    expect(MARKS.filter((mark) => after.includes(mark.toLowerCase()))).toEqual([]);

    const row = await rowOf(server, id);
    expect(row).toMatchObject({ status, event_sequence, incident_reported_at, requester_id: 'erased' });
    expect(row.erased_at).not.toBeNull();
    const trail = await server.db
      .selectFrom('audit_entries')
      .select(['actor', 'action', 'detail'])
      .where('challenge_id', '=', id)
      .orderBy('id')
      .execute();
    expect(trail.map(({ action }) => action)).toEqual(['created', 'in-progress', 'failed', 'erased']);
    expect(trail.at(-1)?.actor).toBe(`api_key:${key.slice(0, 12)}`);
    expect(trail[1]?.detail).toEqual({ failure_reason: null, browser: expect.any(String) });
  });

  test('cancels a retry that waits, and nothing is ever sent again', async () => {
    const { id, sink } = await tellAll();
    await erase(server, id, key).expect(200);
    const [delivery] = await deliveriesOf(server.db, id);
    expect(delivery).toMatchObject({ status: 'canceled', attempts: 1, last_status_code: 500 });
    expect(delivery?.completed_at).not.toBeNull();
    expect(await attemptsOf(server.db, id)).toEqual([
      expect.objectContaining({ status_code: 500, response_excerpt: null, error_message: null }),
    ]);
    await makeDue(server.db, delivery?.id ?? '');
    // Something else for the same endpoint goes through, so this one had its chance.
    const other = await settle(server, { callback_url: sink.url });
    await sink.waitFor(other);
    expect(sink.of(id)).toHaveLength(1);
    const { text } = await server.request.get('/metrics');
    expect(text).toMatch(/^countersign_deliveries_total\{outcome="canceled"\} [1-9]/m);
  });

  test('a second time changes nothing', async () => {
    const { id } = await tellAll();
    const first = await erase(server, id, key).expect(200);
    const before = await readAllRows(server.db);
    const second = await erase(server, id, key).expect(200);
    expect(second.body).toEqual(first.body);
    expect((await readAllRows(server.db)).audit_entries).toEqual(before.audit_entries);
    expect((await readAllRows(server.db)).challenges).toEqual(before.challenges);
  });

  test('an event sent again afterwards has no body to send, and ends visibly', async () => {
    const { id } = await tellAll();
    await erase(server, id, key).expect(200);
    const [old] = await deliveriesOf(server.db, id);
    const again = newId();
    await sql`insert into deliveries (id, event_id, endpoint_id, tenant_id, integration_id, url, trigger, lane,
      next_attempt_at, created_at)
      select ${again}, event_id, endpoint_id, tenant_id, integration_id, url, 'resend', 1, now(), now()
      from deliveries where id = ${old?.id}`.execute(server.db);
    const dead = await until(
      async () => (await deliveriesOf(server.db, id)).find((one) => one.id === again && one.completed_at),
      'the delivery to end',
    );
    expect(dead).toMatchObject({ status: 'dead', dead_reason: 'body_deleted' });
  });

  test('afterwards the person cannot dispute it, and no page says who they are', async () => {
    const created = await server.create(TOLD);
    const person = createPerson(server);
    await person.start(created).expect(303);
    await person.decide(created, 'approve').expect(303);
    await erase(server, created.challenge_id, key).expect(200);
    expect((await person.result(created)).text).not.toContain('this wasn’t me');
    await person.report(created).expect(303);
    expect(await rowOf(server, created.challenge_id)).toMatchObject({ disputed: false, event_sequence: 1 });
    const pages = [await person.result(created), await person.open(created)].map(({ text }) => text).join();
    expect(MARKS.filter((mark) => pages.includes(mark))).toEqual([]);
  });

  test('a verified result can still be spent, and that brings nothing back', async () => {
    const created = await server.create(TOLD);
    const person = createPerson(server);
    await person.start(created).expect(303);
    await person.decide(created, 'approve').expect(303);
    await erase(server, created.challenge_id, key).expect(200);
    const spent = await server.request
      .post(`/api/v1/challenges/${created.challenge_id}/consume`)
      .set('X-API-Key', key);
    expect(spent.status).toBe(200);
    expect(spent.body).toMatchObject({ target_user_email: null, metadata: {}, status: 'verified' });
  });

  test('raced with a dispute, whoever is first: no body and nothing to send is left', async () => {
    const sink = await sinks.open();
    for (let round = 0; round < 8; round++) {
      const created = await server.create({ ...TOLD, callback_url: sink.url });
      const person = createPerson(server);
      await person.start(created).expect(303);
      await person.decide(created, 'approve').expect(303);
      await Promise.all([
        person.report(created).expect(303),
        erase(server, created.challenge_id, key).expect(200),
      ]);
      const row = await rowOf(server, created.challenge_id);
      expect(row).toMatchObject({ target_user_email: null, context: null, device_fingerprint: null });
      const bodies = await bodiesOf(server, created.challenge_id);
      expect(bodies).toEqual(Array.from({ length: row.event_sequence }, () => null));
      const open = (await deliveriesOf(server.db, created.challenge_id)).filter((one) => !one.completed_at);
      expect(open).toEqual([]);
    }
  });

  test('raced with itself, it is done and written down once', async () => {
    const { id } = await tellAll();
    const answers = await Promise.all(Array.from({ length: 5 }, () => erase(server, id, key)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const entries = await server.db
      .selectFrom('audit_entries')
      .select('id')
      .where('challenge_id', '=', id)
      .where('action', '=', 'erased')
      .execute();
    expect(entries).toHaveLength(1);
  });
});

describe.each(BACKENDS)('while a callback is under way, queue on %s', (backend) => {
  let server: TestServer;
  let key: string;
  beforeAll(async () => {
    server = await startServer({ backend });
    key = (await server.integration({ rights: RIGHTS })).apiKey;
  });
  afterAll(() => server.close());

  test.each([200, 500, 410])('its answer %i leaves nothing behind', async (status) => {
    const held: (() => void)[] = [];
    const sink = await sinks.open((response, { body }) =>
      held.push(() => response.writeHead(status).end(`you said ${body.toString()}`)),
    );
    const stale = await staleResults(server);
    const id = await settle(server, { ...TOLD, callback_url: sink.url });
    await sink.waitFor(id);
    await erase(server, id, key).expect(200);
    for (const release of held) release();

    await until(async () => (await staleResults(server)) > stale, 'the result to be discarded');
    expect(await attemptsOf(server.db, id)).toEqual([]);
    expect(await bodiesOf(server, id)).toEqual([null]);
    const [delivery] = await deliveriesOf(server.db, id);
    expect(delivery).toMatchObject({ status: 'canceled', attempts: 0, last_status_code: null });
    const rows = JSON.stringify(await readAllRows(server.db));
    expect(MARKS.filter((mark) => rows.includes(mark))).toEqual([]);

    // The endpoint is free for others.
    if (status === 410) return;
    sink.answerWith((response) => response.end('ok'));
    await sql`update endpoints set open_until = null`.execute(server.db);
    const other = await settle(server, { callback_url: sink.url });
    await sink.waitFor(other);
    expect(sink.of(id)).toHaveLength(1);
  });

  test('many at once: what was delivered is delivered, the rest is canceled, and nothing quotes anybody', async () => {
    const sink = await sinks.open((response, { body }) => setTimeout(() => response.end(body), 20));
    const target_user_id = `crowd-${backend}`;
    const ids: string[] = [];
    const make = async () => {
      for (let i = 0; i < 20; i++)
        ids.push(await settle(server, { ...TOLD, target_user_id, callback_url: sink.url }, key));
    };
    const made = { all: false };
    const making = Promise.all([make(), make(), make()]).finally(() => (made.all = true));
    const eraseAll = () =>
      server.request.post('/api/v1/erasures').set('X-API-Key', key).send({ target_user_id }).expect(200);
    while (!made.all) await eraseAll();
    await making;
    await eraseAll();
    const left = await until(async () => {
      const found = await Promise.all(ids.map((id) => deliveriesOf(server.db, id)));
      return found.flat().every(({ completed_at }) => completed_at) && found.flat();
    }, 'all deliveries to end');
    expect(left).toHaveLength(60);
    expect(left.filter(({ status }) => status !== 'delivered' && status !== 'canceled')).toEqual([]);
    const rows = JSON.stringify(await readAllRows(server.db));
    expect([...MARKS, target_user_id].filter((mark) => rows.includes(mark))).toEqual([]);
  });
});

describe('what a provider told', () => {
  let story: VeriffStory;
  let key: string;
  beforeAll(async () => {
    story = await startVeriffStory();
    key = (await story.server.integration({ rights: RIGHTS })).apiKey;
  });
  afterAll(() => story.close());

  const inboxOf = (sessionId: string) =>
    story.server.db
      .selectFrom('inbox')
      .select(['body_sealed', 'outcome', 'handled_at', 'next_try_at'])
      .where('provider_session_id', '=', sessionId)
      .orderBy('received_at')
      .orderBy('id')
      .execute();

  test('goes with it, and a webhook that comes later leaves nothing either', async () => {
    const { id, session } = await story.begin();
    expect(await story.veriff.decide(session, 'approved')).toEqual([200]);
    await story.reaches(id, 'verified');
    await story.outcomes(session);
    expect((await inboxOf(session.id)).some(({ body_sealed }) => body_sealed)).toBe(true);

    await erase(story.server, id, key).expect(200);
    expect((await inboxOf(session.id)).filter(({ body_sealed }) => body_sealed)).toEqual([]);
    const before = await rowOf(story.server, id);
    expect(await story.veriff.decide(session, 'declined')).toEqual([200]);
    expect((await story.outcomes(session)).at(-1)).toBe('too_late');
    expect((await inboxOf(session.id)).filter(({ body_sealed }) => body_sealed)).toEqual([]);
    expect(await rowOf(story.server, id)).toEqual(before);
    const sessions = await story.server.db
      .selectFrom('verification_sessions')
      .select(['url_sealed', 'status', 'next_check_at'])
      .where('challenge_id', '=', id)
      .execute();
    expect(sessions).toEqual([{ url_sealed: null, status: 'ended', next_check_at: null }]);
    const rows = JSON.stringify(await readAllRows(story.server.db));
    expect(PERSONAL.filter((mark) => rows.includes(mark))).toEqual([]);
  });

  test('is not handled any more when it was still waiting', async () => {
    const { id, session } = await story.begin();
    await story.server.request
      .post(`/api/v1/challenges/${id}/cancel`)
      .set('X-API-Key', story.server.apiKey)
      .expect(200);
    const waiting = newId();
    await sql`insert into inbox (id, provider_account_id, event_key, kind, provider_session_id, body_sealed, received_at,
        last_received_at, next_try_at)
      values (${waiting}, ${story.accountId}, 'late', 'decision', ${session.id}, 'sealed', now(),
        now(), now() + interval '1 hour')`.execute(story.server.db);
    await erase(story.server, id, key).expect(200);
    const [row] = (await inboxOf(session.id)).slice(-1);
    expect(row).toMatchObject({ body_sealed: null, outcome: 'erased', next_try_at: null });
    expect(row?.handled_at).not.toBeNull();
  });

  test('raced with its webhook, no body stays', async () => {
    for (let round = 0; round < 6; round++) {
      const { id, session } = await story.begin();
      await story.server.request
        .post(`/api/v1/challenges/${id}/cancel`)
        .set('X-API-Key', story.server.apiKey)
        .expect(200);
      await Promise.all([story.veriff.decide(session, 'approved'), erase(story.server, id, key).expect(200)]);
      await story.outcomes(session);
      expect((await inboxOf(session.id)).filter(({ body_sealed }) => body_sealed)).toEqual([]);
      expect(await rowOf(story.server, id)).toMatchObject({ status: 'failed', target_user_email: null });
    }
  });
});

describe('erasing a target', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.close());

  test('of 10,000 challenges takes all of them, in batches that others can get between', async () => {
    const target_user_email = 'crowd@example.com';
    const { tenant_id, integrationId } = await server.integration();
    const endpoint = newId();
    await sql`insert into endpoints (id, tenant_id, integration_id, mode, origin, created_at)
      values (${endpoint}, ${tenant_id}, ${integrationId}, 'test', 'https://receiver.example', now())`.execute(
      server.db,
    );
    await sql`
      with challenge as (
        insert into challenges (id, tenant_id, integration_id, mode, status, failure_reason, target_user_email,
          requester_id, context, metadata, verification_code, verification_token_hash, event_sequence, created_at,
          completed_at, expires_at)
        select gen_random_uuid(), ${tenant_id}, ${integrationId}, 'test', 'failed', 'canceled',
          case when n % 2 = 0 then upper(${target_user_email}) else ${target_user_email} end,
          'webhook', 'c', '{}', '00', 'h', 1, now(), now(), now()
        from generate_series(1, 10000) n returning id
      ), event as (
        insert into events (id, tenant_id, mode, challenge_id, sequence, type, body, occurred_at)
        select gen_random_uuid(), ${tenant_id}, 'test', id, 1, 'challenge.completed', '{}', now() from challenge
        returning id
      )
      insert into deliveries (id, event_id, endpoint_id, tenant_id, integration_id, url, next_attempt_at, created_at)
      select gen_random_uuid(), id, ${endpoint}, ${tenant_id}, ${integrationId}, 'https://receiver.example/',
        now() + interval '1 day', now() from event`.execute(server.db);
    const deps = { db: server.db, now: () => new Date() };
    const [one, two] = await Promise.all([
      eraseTarget(deps, { target_user_email }, { tenant_id }, 'test'),
      eraseTarget(deps, { target_user_email }, { tenant_id }, 'test'),
    ]);
    expect(one.erased + two.erased).toBe(10_000);
    expect(one.deliveries_canceled + two.deliveries_canceled).toBe(10_000);
    expect([one.open, two.open]).toEqual([0, 0]);
    const { rows } = await sql<{ left: string }>`
      select count(*) as left from challenges join events on challenge_id = challenges.id
      join deliveries on event_id = events.id
      where challenges.integration_id = ${integrationId}
        and (erased_at is null or target_user_email is not null or body is not null or deliveries.status <> 'canceled')`.execute(
      server.db,
    );
    expect(rows).toEqual([{ left: '0' }]);
  });
});
