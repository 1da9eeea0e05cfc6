import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { findBusy } from '../../src/deliveries/sweep-store.ts';
import { insertDue, insertOwner } from '../support/backlog.ts';
import type { Owner } from '../support/backlog.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { openSinks } from '../support/deliveries.ts';
import { ledgerOf, startEngine } from '../support/engine.ts';
import { until } from '../support/until.ts';

const [FIRST, RESENT, LATE] = [0, 1, 2];

const sinks = openSinks();
afterAll(() => sinks.close());
const key = randomBytes(32);
let database: TestDatabase;
let db: TestDatabase['db'];
let owner: Owner;
let engine: ReturnType<typeof startEngine>;
beforeEach(async () => {
  database = await createDatabase();
  db = database.db;
  owner = await insertOwner(db, key);
  engine = startEngine(db, key);
});
afterEach(async () => {
  await engine.close();
  await database.close();
});

/** The lanes in the order in which their deliveries arrived; `counts` are those of lanes 0, 1 and 2. */
async function send(counts: [number, number, number]): Promise<(number | undefined)[]> {
  const sink = await sinks.open((response) => void setTimeout(() => response.end(), 2));
  let id = '';
  for (const lane of [LATE, RESENT, FIRST])
    id = await insertDue(db, owner, sink.url, {
      count: counts[lane]!,
      lane,
      attempts: lane === LATE ? 3 : 0,
    });
  await engine.carry(id);
  const laneOf = new Map((await ledgerOf(db, id)).map(({ event_id, lane }) => [event_id, lane]));
  return sink.received.map(({ headers }) => laneOf.get(String(headers['webhook-id'])));
}
const shareOf = (lane: number, sent: (number | undefined)[]) =>
  sent.filter((one) => one === lane).length / sent.length;

test('first attempts are sent before late retries, which still get their share', async () => {
  const sent = await send([400, 0, 400]);
  expect(sent).toHaveLength(800);
  expect(shareOf(LATE, sent.slice(0, 400))).toBeGreaterThan(0.1);
  expect(shareOf(LATE, sent.slice(0, 400))).toBeLessThan(0.3);
});

test('what people resend goes behind first attempts and before late retries', async () => {
  const sent = await send([200, 200, 200]);
  expect(sent).toHaveLength(600);
  expect(shareOf(FIRST, sent.slice(0, 200))).toBeGreaterThan(0.6);
  expect(shareOf(RESENT, sent.slice(0, 150))).toBeLessThan(0.1);
  expect(shareOf(LATE, sent.slice(0, 400))).toBeLessThan(0.3);
});

test('late retries alone are all sent', async () => {
  expect(await send([0, 0, 300])).toHaveLength(300);
});

test('within a lane the oldest goes first, and what is not due does not go', async () => {
  const sink = await sinks.open();
  const own = await insertOwner(db, key, { in_flight_cap: 1 });
  await insertDue(db, own, `${sink.url}/later`, { count: 5, dueInS: -60 });
  await insertDue(db, own, `${sink.url}/never`, { count: 5, dueInS: 60 });
  const id = await insertDue(db, own, `${sink.url}/sooner`, { count: 5, dueInS: -120 });
  await engine.carry(id);
  const paths = sink.received.map(({ path }) => path.replace('/callback/', ''));
  expect(paths).toEqual([...Array<string>(5).fill('sooner'), ...Array<string>(5).fill('later')]);
});

test('what is committed late, behind what was sent already, is sent all the same', async () => {
  const sink = await sinks.open((response) => void setTimeout(() => response.end(), 20));
  const id = await insertDue(db, owner, sink.url, { count: 200 });
  const run = engine.carry(id);
  await insertDue(db, owner, sink.url, { count: 20, dueInS: -300 });
  await run;
  expect(sink.received).toHaveLength(220);
});

test('what is committed late is sent soon, however steadily the endpoint gets others', async () => {
  const sink = await sinks.open((response) => void setTimeout(() => response.end(), 150));
  const wide = await insertOwner(db, key, { in_flight_cap: 50 });
  const id = await insertDue(db, wide, sink.url, { count: 5 });
  const runs = [engine.carry(id)];
  const flow = setInterval(
    () => void insertDue(db, wide, sink.url, { count: 4 }).then(() => runs.push(engine.carry(id))),
    20,
  );
  await until(() => sink.received.length > 50, 'a steady flow');
  await db.transaction().execute(async (tx) => {
    await insertDue(tx, wide, `${sink.url}/late`, { count: 1 });
    await sleep(1_000);
  });
  const isThere = () => sink.received.some(({ path }) => path === '/callback/late');
  // a run goes on for thirty seconds
  await until(isThere, 'the late one', 10_000).finally(() => clearInterval(flow));
  await sleep(200);
  await Promise.all(runs);
  await engine.carry(id);
  const ids = sink.received.map(({ headers }) => headers['webhook-id']);
  expect(new Set(ids).size).toBe(ids.length);
});

test('the sweep tells endpoints with late retries alone from others', async () => {
  const due = (port: number, wish: { count: number; lane?: number; dueInS?: number }) =>
    insertDue(db, owner, `http://127.0.0.1:${port}/`, wish);
  const late = await due(1, { count: 5, lane: LATE });
  const fresh = await due(2, { count: 1 });
  await due(2, { count: 9, lane: LATE });
  await due(3, { count: 9, dueInS: 60 });
  const found = (await findBusy(db)).map((busy) => [busy.endpoint_id, busy.late] as const);
  expect(new Map(found)).toEqual(new Map([[late, true] as const, [fresh, false] as const]));
});
