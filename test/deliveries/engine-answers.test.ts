import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { insertDue, insertOwner } from '../support/backlog.ts';
import type { Owner } from '../support/backlog.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { openSinks } from '../support/deliveries.ts';
import { ledgerOf, startEngine } from '../support/engine.ts';

const sinks = openSinks();
afterAll(() => sinks.close());
const key = randomBytes(32);
let database: TestDatabase;
let db: TestDatabase['db'];
let owner: Owner;
let engine: ReturnType<typeof startEngine>;
beforeAll(async () => {
  database = await createDatabase();
  db = database.db;
});
beforeEach(async () => {
  owner = await insertOwner(db, key);
  engine = startEngine(db, key);
});
afterEach(() => engine.close());
afterAll(() => database.close());

const endpoint = (id: string) =>
  db.selectFrom('endpoints').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
/** Sends one delivery to the URL once: how it stands afterwards, and what was written of the attempt. */
async function sendOne(url: string) {
  const id = await insertDue(db, owner, url, { count: 1 });
  await engine.carry(id);
  const [delivery] = (await ledgerOf(db, id)).slice(-1);
  const attempt = await db
    .selectFrom('delivery_attempts')
    .selectAll()
    .where('delivery_id', '=', delivery!.id)
    .executeTakeFirst();
  return { id, delivery: delivery!, attempt };
}
const secondsUntil = (time: Date | null) => ((time?.getTime() ?? 0) - Date.now()) / 1_000;

describe('a receiver that asks for a pause', () => {
  const forms = {
    seconds: () => '600',
    'an HTTP date': () => new Date(Date.now() + 600_000).toUTCString(),
  };
  test.each([
    [429, 'seconds'],
    [429, 'an HTTP date'],
    [503, 'seconds'],
    [503, 'an HTTP date'],
  ] as const)('%i with Retry-After as %s: all its deliveries wait', async (status, form) => {
    const sink = await sinks.open((response) =>
      response.writeHead(status, { 'retry-after': forms[form]() }).end('busy'),
    );
    const { id, delivery, attempt } = await sendOne(sink.url);
    expect(attempt).toMatchObject({ status_code: status, response_excerpt: 'busy' });
    expect(delivery).toMatchObject({ status: 'pending', attempts: 1 });
    expect(secondsUntil(delivery.next_attempt_at)).toBeGreaterThan(580);
    expect(secondsUntil(delivery.next_attempt_at)).toBeLessThan(730);
    expect(secondsUntil((await endpoint(id)).paused_until)).toBeGreaterThan(580);

    await insertDue(db, owner, sink.url, { count: 20 });
    await engine.carry(id);
    expect(sink.received).toHaveLength(1);
    const waiting = (await ledgerOf(db, id)).filter(({ attempts }) => attempts === 0);
    expect(waiting).toHaveLength(20);

    sink.answerWith((response) => response.end());
    await sql`update endpoints set paused_until = now() where id = ${id}`.execute(db);
    await engine.carry(id);
    expect(sink.received).toHaveLength(21);
  });

  test('it is believed while others are under way, too', async () => {
    const sink = await sinks.open((response, _, count) => {
      if (count === 5) response.writeHead(503, { 'retry-after': '900' }).end();
      else setTimeout(() => response.end(), 100);
    });
    const id = await insertDue(db, owner, sink.url, { count: 300 });
    await engine.carry(id);
    expect(sink.received).toHaveLength(10);
    const states = (await ledgerOf(db, id)).map(({ status }) => status);
    expect(states.filter((status) => status === 'delivered')).toHaveLength(9);
    expect(states.filter((status) => status === 'pending')).toHaveLength(291);
  });
});

describe('410 Gone', () => {
  test('later events to that URL die without a request; others of its origin are delivered', async () => {
    const sink = await sinks.open((response, { path }) =>
      response.writeHead(path === '/callback/gone' ? 410 : 200).end(),
    );
    const gone = `${sink.url}/gone`;
    const first = await sendOne(gone);
    expect(first.delivery).toMatchObject({ status: 'dead', dead_reason: 'gone', attempts: 1 });
    for (let n = 0; n < 3; n += 1) {
      const { delivery, attempt } = await sendOne(gone);
      expect(delivery).toMatchObject({ status: 'dead', dead_reason: 'gone', attempts: 0 });
      expect(attempt).toBeUndefined();
    }
    expect(sink.received).toHaveLength(1);
    expect(await engine.counted('given_up_total', 'gone')).toBe(4);
    const other = await sendOne(sink.url);
    expect(other.delivery.status).toBe('delivered');
    expect(await endpoint(other.id)).toMatchObject({ failing_since: null, disabled_at: null });
  });

  test('a long queue to it dies at once, with as few requests as were under way', async () => {
    const sink = await sinks.open((response) => response.writeHead(410).end());
    const id = await insertDue(db, owner, sink.url, { count: 200 });
    await engine.carry(id);
    const rows = await ledgerOf(db, id);
    expect(rows.every(({ dead_reason }) => dead_reason === 'gone')).toBe(true);
    expect(sink.received.length).toBeLessThan(150);
  });

  test('an event whose body was deleted dies, too, and spends no attempt', async () => {
    const sink = await sinks.open();
    const id = await insertDue(db, owner, sink.url, { count: 2 });
    await sql`update events set body = null where tenant_id = ${owner.tenantId}`.execute(db);
    await engine.carry(id);
    expect(sink.received).toHaveLength(0);
    for (const row of await ledgerOf(db, id))
      expect(row).toMatchObject({ status: 'dead', dead_reason: 'body_deleted', attempts: 0, written: 0 });
  });
});
