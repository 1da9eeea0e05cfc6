import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { sql } from 'kysely';
import { createSealer } from '../../src/kernel/crypto.ts';
import { createIntegration } from '../../src/tenants/keys.ts';
import { insertDue, insertOwner } from '../support/backlog.ts';
import type { Owner } from '../support/backlog.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { openSinks } from '../support/deliveries.ts';
import { startEngine } from '../support/engine.ts';
import { until } from '../support/until.ts';

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
  owner = await insertOwner(db, key, { retry_waits_s: [1] });
  engine = startEngine(db, key);
});
afterEach(async () => {
  await engine.close();
  await database.close();
});

const LISTENED = [
  'endpoint.opened',
  'endpoint.recovered',
  'endpoint.gone',
  'delivery.dead',
  'delivery.failing',
];
/** Another integration of the owner's tenant that hears of these. */
async function subscribe(url: string, tenant_id = owner.tenantId, events = LISTENED): Promise<string> {
  const wish = { tenant_id, name: 'Operations', mode: 'test', callback_url: url } as const;
  const { integrationId } = await createIntegration(db, createSealer([key]), wish);
  await db.updateTable('integrations').set({ events }).where('id', '=', integrationId).execute();
  return integrationId;
}
const announced = async () =>
  (await db.selectFrom('events').select('type').where('type', 'in', LISTENED).orderBy('id').execute()).map(
    ({ type }) => type,
  );
const makeAllDue = () =>
  db
    .updateTable('deliveries')
    .set({ next_attempt_at: new Date(0) })
    .execute();

test('an endpoint that opens is news once, however often its probe fails; that it answers again is news too', async () => {
  const [sink, desk] = [await sinks.open((response) => response.writeHead(500).end()), await sinks.open()];
  await subscribe(desk.url);
  const id = await insertDue(db, owner, sink.url, { count: 30 });
  await engine.carry(id);
  for (let n = 0; n < 3; n += 1) {
    await sql`update endpoints set open_until = now() where id = ${id}`.execute(db);
    await makeAllDue();
    await engine.carry(id);
  }
  expect((await announced()).filter((type) => type === 'endpoint.opened')).toHaveLength(1);
  sink.answerWith((response) => response.end());
  await sql`update endpoints set open_until = now() where id = ${id}`.execute(db);
  await engine.carry(id);
  expect((await announced()).at(-1)).toBe('endpoint.recovered');

  await engine.carry(engine.woken[0]!);
  expect(desk.received[0]?.json).toMatchObject({
    event_type: 'endpoint.opened',
    mode: 'test',
    integration_id: owner.integrationId,
    endpoint_id: id,
    origin: new URL(sink.url).origin,
  });
  expect(desk.received[0]?.headers['webhook-id']).toBe(desk.received[0]?.json.event_id);
});

test('many dead deliveries of one endpoint are one piece of news an hour', async () => {
  const sink = await sinks.open((response) => response.writeHead(410).end());
  await subscribe('http://127.0.0.1:1/');
  const other = (n: number) => insertDue(db, owner, `${sink.url}/${n}`, { count: 1 });
  for (let n = 0; n < 5; n += 1) await engine.carry(await other(n));
  const dead = async () => (await announced()).filter((type) => type === 'delivery.dead').length;
  expect(await dead()).toBe(1);
  expect((await announced()).filter((type) => type === 'endpoint.gone')).toHaveLength(5); // of five URLs
  await sql`update endpoints set dead_announced_at = now() - interval '61 minutes'`.execute(db);
  await engine.carry(await other(6));
  expect(await dead()).toBe(2);
});

test('only integrations of the tenant that chose the type hear of it, and never the one it is about', async () => {
  const sink = await sinks.open((response) => response.writeHead(410).end());
  const stranger = await insertOwner(db, key);
  const [own, quiet] = [LISTENED, ['secret.rotated']];
  await subscribe('http://127.0.0.1:2/', stranger.tenantId);
  await subscribe('http://127.0.0.1:3/', owner.tenantId, quiet);
  await db
    .updateTable('integrations')
    .set({ events: own, callback_url: 'http://127.0.0.1:4/' })
    .where('id', '=', owner.integrationId)
    .execute();
  await engine.carry(await insertDue(db, owner, sink.url, { count: 1 }));
  expect(await announced()).toEqual([]);
  const listener = await subscribe('http://127.0.0.1:5/');
  await engine.carry(await insertDue(db, owner, `${sink.url}/2`, { count: 1 }));
  expect((await announced()).sort()).toEqual(['delivery.dead', 'endpoint.gone']);
  const sent = await db
    .selectFrom('deliveries')
    .select('integration_id')
    .where('status', '=', 'pending')
    .execute();
  expect(sent.map(({ integration_id }) => integration_id)).toEqual([listener, listener]);
});

test('news that did not arrive is no news', async () => {
  const desk = await sinks.open((response) => response.writeHead(410).end());
  await subscribe(desk.url);
  await insertDue(db, owner, 'http://127.0.0.1:6/', { count: 1 });
  const id = await insertDue(db, owner, desk.url, { count: 1, type: 'endpoint.opened' });
  await engine.carry(id);
  expect((await announced()).filter((type) => type === 'delivery.dead')).toEqual([]);
});

test('what was not written is no news: somebody else had counted the attempt', async () => {
  const held: ServerResponse[] = [];
  const sink = await sinks.open((response) => void held.push(response));
  await subscribe('http://127.0.0.1:7/');
  const id = await insertDue(db, owner, sink.url, { count: 1 });
  const run = engine.carry(id);
  await until(() => held.length === 1, 'a request under way');
  await sql`update deliveries set attempts = 1`.execute(db);
  held[0]!.writeHead(410).end();
  await run;
  expect(await announced()).toEqual([]);
  expect(await engine.counted('stale_finish_total')).toBe(1);
});
