import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { OutboundError } from '../../src/kernel/outbound.ts';
import type { Outbound } from '../../src/kernel/outbound.ts';
import { newId } from '../../src/kernel/id.ts';
import { buryDisabled } from '../../src/deliveries/sweep-store.ts';
import { countByStatus, insertDue, insertOwner, startWorker } from '../support/backlog.ts';
import type { Owner } from '../support/backlog.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { startDatabaseProxy } from '../support/database-proxy.ts';
import { openSinks } from '../support/deliveries.ts';
import { ledgerOf, startEngine } from '../support/engine.ts';
import { until } from '../support/until.ts';

const sinks = openSinks();
afterAll(() => sinks.close());
/** A receiver that keeps its answers until it is told to give them. */
async function holdingSink() {
  const held: ServerResponse[] = [];
  const sink = await sinks.open((response) => void held.push(response));
  const release = () => held.splice(0).forEach((one) => one.end());
  return { sink, held, release };
}

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

describe('a run that has lost its endpoint', () => {
  const STRANGER = newId();
  const steal = (id: string) =>
    db
      .updateTable('endpoints')
      .set({ lease_token: STRANGER, lease_until: sql<Date>`now() + interval '1 minute'` })
      .where('id', '=', id)
      .execute();

  test('sends no more once it knows; what it had begun is discarded and counted, for the other one sends it', async () => {
    const { sink, held, release } = await holdingSink();
    const id = await insertDue(db, owner, sink.url, { count: 1_000 });
    const run = engine.carry(id);
    await until(() => held.length === 10, 'ten under way');
    await steal(id);
    sink.answerWith((response) => response.end());
    release();
    await run;
    expect(sink.received.length).toBeLessThan(300);
    expect(await countByStatus(db)).toEqual({ pending: 1_000 });
    for (const { attempts, written } of await ledgerOf(db, id)) expect([attempts, written]).toEqual([0, 0]);
    const row = await db.selectFrom('endpoints').selectAll().executeTakeFirstOrThrow();
    expect(row).toMatchObject({ lease_token: STRANGER, window_attempts: 0 }); // the stranger's to write
    expect(await engine.counted('stale_finish_total')).toBe(sink.received.length);
  });

  test('has its results written if nobody took it, however long ago its lease lapsed', async () => {
    const { held, release, sink } = await holdingSink();
    const id = await insertDue(db, owner, sink.url, { count: 10 });
    const run = engine.carry(id);
    await until(() => held.length === 10, 'ten under way');
    await sql`update endpoints set lease_until = now() - interval '1 minute'`.execute(db);
    release();
    await run;
    expect(await countByStatus(db)).toEqual({ delivered: 10 });
    expect(await engine.counted('stale_finish_total')).toBe(0);
  });

  test('is taken over by another one when its process is gone, which is counted; nothing is sent but what was under way', async () => {
    const { sink, held, release } = await holdingSink();
    const id = await insertDue(db, owner, sink.url, { count: 60 });
    const silent = engine.carry(id);
    await until(() => held.length === 10, 'ten under way');
    const other = startEngine(db, key);
    await other.carry(id);
    expect(sink.received).toHaveLength(10); // the lease still stands
    await sql`update endpoints set lease_until = now()`.execute(db);
    const run = other.carry(id);
    await until(() => held.length === 20, 'the same ten once more');
    sink.answerWith((response) => response.end());
    release();
    await Promise.all([run, silent]);
    await other.carry(id);
    expect(await countByStatus(db)).toEqual({ delivered: 60 });
    for (const { attempts, written } of await ledgerOf(db, id)) expect([attempts, written]).toEqual([1, 1]);
    expect(sink.received.length).toBeLessThanOrEqual(60 + 100); // what the silent one had under way and in hand
    expect(await other.counted('lease_reclaimed_total')).toBe(1);
    await other.close();
  });

  test('changes nothing about a delivery that was canceled meanwhile', async () => {
    const { sink, held, release } = await holdingSink();
    const id = await insertDue(db, owner, sink.url, { count: 1 });
    const run = engine.carry(id);
    await until(() => held.length === 1, 'a request under way');
    await sql`update deliveries set status = 'canceled', completed_at = now()`.execute(db);
    release();
    await run;
    expect(await ledgerOf(db, id)).toMatchObject([{ status: 'canceled', written: 0 }]);
    expect(await engine.counted('stale_finish_total')).toBe(1);
  });

  test('of an endpoint that is disabled meanwhile: what is under way ends as it ends, and only the rest is buried', async () => {
    const { sink, held, release } = await holdingSink();
    const id = await insertDue(db, owner, sink.url, { count: 50 });
    const run = engine.carry(id);
    await until(() => held.length === 10, 'ten under way');
    await sql`update endpoints set disabled_at = now(), disabled_reason = 'operator'`.execute(db);
    expect(await buryDisabled(db)).toBe(0);
    await sleep(1_100); // the run reads its endpoint again
    release();
    await until(() => held.length > 0 || sink.received.length > 10, 'more', 500).catch(() => undefined);
    release();
    await run;
    const delivered = sink.received.length;
    expect(await countByStatus(db)).toEqual({ delivered, pending: 50 - delivered });
    expect(await buryDisabled(db)).toBe(50 - delivered);
  });
});

describe('a result that cannot be written', () => {
  /** Outbound that ends every request like this. */
  const ending = (end: Outbound['request']) => ({ outbound: { request: end } as Outbound });
  const OK = { status: 200, headers: {}, body: Buffer.from('fine'), truncated: false, timings: {} };

  test.each([
    ['an address', async () => ({ ...OK, remoteAddress: '10.0.0.1\0' }), 'delivered'],
    ['a message', () => Promise.reject(new OutboundError('tls', 'not for \0example')), 'pending'],
    [
      'half a character',
      () => Promise.reject(new OutboundError('tls', `a${'\u{1F600}'.repeat(400)}`)),
      'pending',
    ],
  ] as const)('for what is in it is written without that: %s', async (_, end, status) => {
    const odd = startEngine(db, key, ending(end));
    const id = await insertDue(db, owner, 'http://127.0.0.1/', { count: 4 });
    await odd.carry(id);
    expect(await countByStatus(db)).toEqual({ [status]: 4 });
    for (const row of await ledgerOf(db, id)) expect(row).toMatchObject({ attempts: 1, written: 1 });
    await odd.close();
  });

  test('does not take its neighbours’ words away', async () => {
    let n = 0;
    const end = async () => ({ ...OK, remoteAddress: (n += 1) === 3 ? '\0' : '192.0.2.1' });
    const odd = startEngine(db, key, ending(end));
    await odd.carry(await insertDue(db, owner, 'http://127.0.0.1/', { count: 10 }));
    const rows = await db.selectFrom('delivery_attempts').select('remote_address').execute();
    expect(rows.filter(({ remote_address }) => remote_address === '192.0.2.1')).toHaveLength(9);
    expect(rows).toHaveLength(10);
    await odd.close();
  });

  test('because a table is away is kept, and nothing else is sent until it is written', async () => {
    const { sink, held, release } = await holdingSink();
    const id = await insertDue(db, owner, sink.url, { count: 300 });
    const run = engine.carry(id);
    await until(() => held.length === 10, 'ten under way');
    await sql`alter table delivery_attempts rename to away`.execute(db);
    sink.answerWith((response) => response.end());
    release();
    await until(async () => (await engine.counted('flush_retries_total')) > 1, 'vain tries to write');
    const sent = sink.received.length;
    expect(sent).toBeLessThan(300);
    await sleep(1_000);
    await engine.carry(await insertDue(db, owner, sink.url, { count: 5 }));
    expect(sink.received).toHaveLength(sent);
    await sql`alter table away rename to delivery_attempts`.execute(db);
    await run;
    await engine.carry(id);
    expect(await countByStatus(db)).toEqual({ delivered: 305 });
    expect(sink.received).toHaveLength(305);
    for (const { attempts, written } of await ledgerOf(db, id)) expect([attempts, written]).toEqual([1, 1]);
  });
});

test('the database goes away with results under way: they are written when it is back, and nothing is sent twice', async () => {
  let proxy: Awaited<ReturnType<typeof startDatabaseProxy>> | undefined;
  const worker = await startWorker({}, async (own) => (proxy = await startDatabaseProxy(own)).url);
  try {
    const { sink, held, release } = await holdingSink();
    const id = await insertDue(worker.db, worker.owner, sink.url, { count: 200 });
    await until(() => held.length === 10, 'ten under way');
    proxy?.cut();
    sink.answerWith((response) => response.end());
    release();
    await sleep(4_000);
    const sent = sink.received.length;
    expect(sent).toBeLessThan(200);
    proxy?.mend();
    const all = async () => (await countByStatus(worker.db)).delivered === 200;
    // What it had claimed and could not give back comes when its lease has lapsed.
    await until(all, 'all delivered', 50_000);
    expect(new Set(sink.received.map(({ headers }) => headers['webhook-id'])).size).toBe(200);
    expect(sink.received).toHaveLength(200);
    for (const { written } of await ledgerOf(worker.db, id)) expect(written).toBe(1);
  } finally {
    await worker.close();
    await proxy?.close();
  }
}, 90_000);
