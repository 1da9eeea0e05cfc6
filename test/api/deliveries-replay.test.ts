import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { readConfig } from '../../src/config.ts';
import { newId } from '../../src/kernel/id.ts';
import { serve } from '../../src/serve.ts';
import { openSinks } from '../support/deliveries.ts';
import { auditOf, createDesk, metricOf, NOBODY } from '../support/desk.ts';
import { expectRefusal } from '../support/refusal.ts';
import { readAllRows } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

type Replayed = { [count: string]: number | boolean };

let server: TestServer;
let desk: ReturnType<typeof createDesk>;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
  desk = createDesk(server);
});
afterAll(() => server.close());

const newKey = async () => (await server.integration({ newTenant: true })).apiKey;
async function replay(body: object, key?: string): Promise<Replayed> {
  return (await desk.post('/replay', body, key).expect(200)).body as Replayed;
}
async function makeMany(n: number, apiKey: string, wish = {}) {
  const made = [];
  for (let i = 0; i < n; i += 1) made.push(await desk.make({ apiKey, ...wish }));
  return made;
}
const disable = (endpoint_id: string) =>
  server.db
    .updateTable('endpoints')
    .set({ disabled_at: new Date(), disabled_reason: 'operator' })
    .where('id', '=', endpoint_id)
    .execute();

test('without being told otherwise it only counts, and nothing changes', async () => {
  const key = await newKey();
  await makeMany(3, key);
  const before = await readAllRows(server.db);
  for (const body of [undefined, {}, { dry_run: true }, { filter: {} }, { filter: null }]) {
    const answer = await desk.post('/replay', body, key).expect(200);
    expect(answer.body).toEqual({
      ...{ dry_run: true, matching: 3, replayable: 3, without_body: 0, on_disabled_endpoint: 0 },
      ...{ already_resent: 0, replayed: 0, finishes_in_seconds: 1, capped: false },
    });
  }
  expect(await readAllRows(server.db)).toEqual(before);
});

test('the dead are sent again, each once, audited and counted; again, nothing is', async () => {
  const key = await newKey();
  const made = await makeMany(3, key);
  await desk.make({ apiKey: key, status: 'delivered' });
  await desk.make({ apiKey: key, status: 'pending' });
  const counted = await metricOf(server, 'countersign_replays_total');
  const done = await replay({ dry_run: false }, key);
  expect(done).toMatchObject({ dry_run: false, matching: 3, replayable: 3, replayed: 3, already_resent: 0 });
  for (const { event_id } of made) {
    const rows = await desk.ofEvent(event_id);
    expect(rows.map((row) => [row.trigger, row.status, row.lane])).toEqual([
      ['event', 'dead', 0],
      ['resend', 'pending', 1],
    ]);
  }
  expect(await metricOf(server, 'countersign_replays_total')).toBe(counted + 3);
  const [entry] = await auditOf(server.db, 'deliveries_replayed');
  expect(entry).toMatchObject({
    challenge_id: null,
    actor: `api_key:${key.slice(0, 12)}`,
    detail: { filter: { status: 'dead' }, limit: 1_000, rate_per_second: 10, replayed: 3 },
  });
  const again = await replay({ dry_run: false }, key);
  expect(again).toMatchObject({ matching: 3, replayable: 0, already_resent: 3, replayed: 0 });
});

test('what was delivered by a later resend is left alone; what failed again is sent once more, once', async () => {
  const key = await newKey();
  const [arrived, failed] = await makeMany(2, key);
  await replay({ dry_run: false }, key);
  for (const [one, status] of [
    [arrived, 'delivered'],
    [failed, 'dead'],
  ] as const) {
    const resent = (await desk.ofEvent(one?.event_id ?? ''))[1];
    await desk.bring(resent?.id ?? '', status);
  }
  // Three are dead: two originals and a resend, which stands for its original.
  const done = await replay({ dry_run: false }, key);
  expect(done).toMatchObject({ matching: 3, already_resent: 2, replayable: 1, replayed: 1 });
  expect(await desk.ofEvent(arrived?.event_id ?? '')).toHaveLength(2);
  expect(await desk.ofEvent(failed?.event_id ?? '')).toHaveLength(3);
});

test('what has no body or a disabled endpoint is counted apart and left alone', async () => {
  const key = await newKey();
  const [bodyless] = await makeMany(2, key);
  const barred = await desk.make({ apiKey: key, callback_url: 'http://127.0.0.1:12/' });
  const gone = await desk.make({ apiKey: key, callback_url: 'http://127.0.0.1:13/a' });
  await desk.make({ apiKey: key, callback_url: 'http://127.0.0.1:13/b' });
  await desk.deleteBody(bodyless?.event_id ?? '');
  await disable(barred.endpoint_id);
  await server.db
    .insertInto('gone_urls')
    .values({ endpoint_id: gone.endpoint_id, url: 'http://127.0.0.1:13/a', gone_at: new Date() })
    .execute();
  const counts = { matching: 5, without_body: 1, on_disabled_endpoint: 2, replayable: 2 };
  expect(await replay({}, key)).toMatchObject({ ...counts, replayed: 0 });
  expect(await replay({ dry_run: false }, key)).toMatchObject({ ...counts, replayed: 2 });
  for (const { event_id } of [bodyless ?? gone, barred, gone])
    expect(await desk.ofEvent(event_id)).toHaveLength(1);
});

test('the oldest go first, no more than the limit, one after another at the rate', async () => {
  const key = await newKey();
  const made = await makeMany(5, key);
  const body = { dry_run: false, limit: 3, rate_per_second: 2 };
  expect(await replay({ ...body, dry_run: true }, key)).toMatchObject({
    ...{ replayable: 5, replayed: 0, capped: true, finishes_in_seconds: 2 },
  });
  expect(await replay(body, key)).toMatchObject({ replayable: 5, replayed: 3, capped: true });
  const resent = [];
  for (const { event_id } of made) resent.push((await desk.ofEvent(event_id))[1]);
  const times = resent.slice(0, 3).map((row) => row?.next_attempt_at.getTime() ?? NaN);
  expect(resent.slice(3)).toEqual([undefined, undefined]);
  expect(times.map((time) => time - (times[0] ?? 0))).toEqual([0, 500, 1_000]);
  expect(await replay(body, key)).toMatchObject({
    ...{ replayable: 2, already_resent: 3, replayed: 2, capped: false, finishes_in_seconds: 1 },
  });
});

test('two at the same time send nothing twice', async () => {
  const key = await newKey();
  const made = await makeMany(4, key);
  const both = await Promise.all([replay({ dry_run: false }, key), replay({ dry_run: false }, key)]);
  expect(both.map(({ replayed }) => Number(replayed)).sort((a, b) => a - b)).toEqual([0, 4]);
  for (const { event_id } of made) expect(await desk.ofEvent(event_id)).toHaveLength(2);
});

test('of more than 10,000 the first 10,000 are sent again, and the next call takes the rest', async () => {
  const key = await newKey();
  const { delivery_id, event_id } = await desk.make({ apiKey: key });
  const ids = Array.from({ length: 10_100 }, () => newId());
  await sql`
    with made as (
      insert into events (id, tenant_id, mode, type, body, occurred_at)
      select new_id, tenant_id, mode, 'secret.rotated', body, occurred_at
      from events cross join unnest(${ids}::uuid[]) as new_id where id = ${event_id}
      returning id
    )
    insert into deliveries (id, event_id, endpoint_id, tenant_id, integration_id, url, status, dead_reason,
      next_attempt_at, created_at, completed_at)
    select made.id, made.id, endpoint_id, tenant_id, integration_id, url, status, dead_reason,
      next_attempt_at, created_at, completed_at
    from deliveries cross join made where deliveries.id = ${delivery_id}`.execute(server.db);
  const body = { dry_run: false, limit: 10_000, rate_per_second: 100 };
  expect(await replay(body, key)).toMatchObject({
    ...{ matching: 10_101, replayed: 10_000, capped: true, finishes_in_seconds: 100 },
  });
  expect(await replay(body, key)).toMatchObject({
    ...{ matching: 10_101, already_resent: 10_000, replayed: 101, capped: false },
  });
  const { rows } = await sql<{ events: string; resends: string }>`
    select count(distinct event_id) as events, count(*) as resends from deliveries
    where trigger = 'resend' and endpoint_id = (select endpoint_id from deliveries where id = ${delivery_id})`.execute(
    server.db,
  );
  expect(rows).toEqual([{ events: '10101', resends: '10101' }]);
});

describe('the filter', () => {
  test('narrows to what it says', async () => {
    const key = await newKey();
    const there = await desk.make({ apiKey: key, callback_url: 'http://127.0.0.1:14/' });
    const worn = await desk.make({ apiKey: key, dead_reason: 'exhausted' });
    const refused = await desk.make({ apiKey: key, dead_reason: 'refused' });
    const arrived = await desk.make({ apiKey: key, status: 'delivered' });
    const created_at = new Date('2026-01-31T12:00:00Z');
    const { db } = server;
    await db.updateTable('deliveries').set({ created_at }).where('id', '=', worn.delivery_id).execute();
    const counts: [object, number][] = [
      [{}, 3],
      [{ status: 'delivered' }, 1],
      [{ endpoint_id: there.endpoint_id }, 1],
      [{ integration_id: arrived.integration_id }, 3],
      [{ integration_id: NOBODY }, 0],
      [{ event_type: 'challenge.completed' }, 3],
      [{ event_type: 'challenge.expired' }, 0],
      [{ dead_reason: 'refused' }, 1],
      [{ since: '2026-01-31T12:00:00Z', until: '2026-01-31T12:00:01Z' }, 1],
      [{ until: '2026-01-31T12:00:00Z' }, 0],
    ];
    for (const [filter, matching] of counts)
      expect([filter, (await replay({ filter }, key)).matching]).toEqual([filter, matching]);
    const only = { filter: { dead_reason: 'refused' }, dry_run: false };
    expect((await replay(only, key)).replayed).toBe(1);
    expect(await desk.ofEvent(refused.event_id)).toHaveLength(2);
  });

  test('sends what had arrived again too, when asked for it', async () => {
    const key = await newKey();
    const { event_id } = await desk.make({ apiKey: key, status: 'delivered' });
    await replay({ filter: { status: 'delivered' }, dry_run: false }, key);
    expect(await desk.ofEvent(event_id)).toHaveLength(2);
  });

  test('finds nothing of others: tenants, the other mode, or neighbours of a key that sees only its own', async () => {
    const { endpoint_id, integration_id, event_id } = await desk.make();
    const rights = { scopes: ['challenges:read', 'deliveries:manage'], own_only: true };
    const live = await server.integration({ mode: 'live' });
    const own = await server.integration({ rights });
    for (const key of [await newKey(), live.apiKey, own.apiKey]) {
      for (const filter of [{}, { endpoint_id }, { integration_id }])
        expect(await replay({ filter, dry_run: false }, key)).toMatchObject({ matching: 0, replayed: 0 });
    }
    expect(await desk.ofEvent(event_id)).toHaveLength(1);
  });

  test('never finds tests', async () => {
    const key = await newKey();
    const sent = await desk.post('/test', { callback_url: 'http://127.0.0.1:9/' }, key).expect(202);
    await desk.bring((sent.body as { delivery_id: string }).delivery_id, 'dead');
    expect(await replay({}, key)).toMatchObject({ matching: 0 });
  });

  test.each([
    [{ filter: { status: 'pending' } }, 'status'],
    [{ filter: { status: 'dead', stauts: 1 } }, 'filter.stauts'],
    [{ filter: { challenge_id: NOBODY } }, 'filter.challenge_id'],
    [{ filter: [] }, 'filter'],
    [{ filter: 'dead' }, 'filter'],
    [{ filter: { endpoint_id: "' or true --" } }, 'endpoint_id'],
    [{ filter: { endpoint_id: 'x'.repeat(10_240) } }, 'endpoint_id'],
    [{ filter: { integration_id: { $ne: null } } }, 'integration_id'],
    [{ filter: { event_type: 'endpoint.test' } }, 'event_type'],
    [{ filter: { event_type: '\u0000' } }, 'event_type'],
    [{ filter: { dead_reason: ['exhausted'] } }, 'dead_reason'],
    [{ filter: { since: 'now()' } }, 'since'],
    [{ filter: { until: 1_769_860_800 } }, 'until'],
    [{ dry_run: 'false' }, 'dry_run'],
    [{ dry_run: 0 }, 'dry_run'],
    [{ limit: 0 }, 'limit'],
    [{ limit: 10_001 }, 'limit'],
    [{ limit: '10' }, 'limit'],
    [{ rate_per_second: 0 }, 'rate_per_second'],
    [{ rate_per_second: 101 }, 'rate_per_second'],
    [{ rate_per_second: 0.5 }, 'rate_per_second'],
    [{ dryrun: false }, 'dryrun'],
    [{ status: 'dead' }, 'status'],
  ])('and the rest of the body is refused by name when it is %.60j', async (body, field) => {
    expectRefusal(await desk.post('/replay', body), 400, { code: 'invalid', field });
  });

  test.each(['{', '[]', 'null', '"all"', '{"filter":{"status":"dead"'])('%s is refused', async (body) => {
    expectRefusal(await desk.post('/replay', body), 400, { code: 'invalid' });
  });
});

test('what is replayed arrives', async () => {
  const sinks = openSinks();
  const sink = await sinks.open();
  const key = await newKey();
  const made = await makeMany(3, key, { callback_url: sink.url });
  // The delivery of this database is another process's work.
  const worker = await serve(readConfig(server.settings), 'worker');
  await replay({ dry_run: false, rate_per_second: 100 }, key);
  for (const { challenge_id, event_id } of made) {
    const received = await sink.waitFor(challenge_id);
    expect(received.headers['webhook-id']).toBe(event_id);
    await until(async () => (await desk.ofEvent(event_id))[1]?.status === 'delivered', 'the delivery');
  }
  await worker.close();
  await sinks.close();
});
