import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { newId } from '../../src/kernel/id.ts';
import { countByStatus, insertDue, insertOwner } from '../support/backlog.ts';
import type { Owner } from '../support/backlog.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { openSinks } from '../support/deliveries.ts';
import { ledgerOf, startEngine } from '../support/engine.ts';
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
  owner = await insertOwner(db, key);
  engine = startEngine(db, key);
});
afterEach(async () => {
  await engine.close();
  await database.close();
});

const endpoint = (id: string) =>
  db.selectFrom('endpoints').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const setEndpoint = (id: string, change: object) =>
  db.updateTable('endpoints').set(change).where('id', '=', id).execute();
const makeAllDue = (id: string) =>
  db
    .updateTable('deliveries')
    .set({ next_attempt_at: new Date(0) })
    .where('endpoint_id', '=', id)
    .execute();
/** A receiver that keeps its answers until it is told to give them. */
async function holdingSink() {
  const held: ServerResponse[] = [];
  const sink = await sinks.open((response) => void held.push(response));
  const release = (status = 200) => held.splice(0).forEach((one) => one.writeHead(status).end());
  return { sink, held, release };
}

describe('a run', () => {
  test('sends all that is due, each once, and lets go of the endpoint', async () => {
    const sink = await sinks.open();
    const id = await insertDue(db, owner, sink.url, { count: 250 });
    await engine.carry(id);
    expect(sink.received).toHaveLength(250);
    expect(new Set(sink.received.map(({ headers }) => headers['webhook-id'])).size).toBe(250);
    for (const row of await ledgerOf(db, id))
      expect(row).toMatchObject({ status: 'delivered', attempts: 1, written: 1 });
    expect((await endpoint(id)).lease_token).toBeNull();
  });

  test('sends nothing to an endpoint that another run holds, and takes it over when that lease has lapsed', async () => {
    const sink = await sinks.open();
    const id = await insertDue(db, owner, sink.url, { count: 5 });
    await setEndpoint(id, { lease_token: newId(), lease_until: sql`now() + interval '1 minute'` });
    await engine.carry(id);
    expect(sink.received).toHaveLength(0);
    await setEndpoint(id, { lease_until: sql`now()` });
    await engine.carry(id);
    expect(sink.received).toHaveLength(5);
  });

  test('carries what comes due while it runs, also when it is just letting go', async () => {
    const sink = await sinks.open();
    let id = await insertDue(db, owner, sink.url, { count: 1 });
    const runs: Promise<void>[] = [];
    for (let n = 1; n < 200; n += 1) {
      runs.push(engine.carry(id));
      if (n % 3) await sleep(n % 7);
      id = await insertDue(db, owner, sink.url, { count: 1 });
    }
    await Promise.all([...runs, engine.carry(id)]);
    expect(sink.received).toHaveLength(200);
    expect(await countByStatus(db)).toEqual({ delivered: 200 });
    expect((await endpoint(id)).lease_token).toBeNull();
  });

  test('two engines that are asked at the same time send each delivery once', async () => {
    const other = startEngine(db, key);
    const sink = await sinks.open((response) => void setTimeout(() => response.end(), 5));
    const id = await insertDue(db, owner, sink.url, { count: 150 });
    for (let round = 0; round < 20; round += 1) await Promise.all([engine.carry(id), other.carry(id)]);
    expect(sink.received).toHaveLength(150);
    expect(await countByStatus(db)).toEqual({ delivered: 150 });
    await other.close();
  });

  test('begins nothing more when it must stop, and spends no attempt on what it had claimed', async () => {
    const { sink, held, release } = await holdingSink();
    const id = await insertDue(db, owner, sink.url, { count: 60 });
    const run = engine.carry(id);
    await until(() => held.length === 10, 'ten under way');
    engine.stop();
    release();
    await run;
    expect(await countByStatus(db)).toEqual({ delivered: 10, pending: 50 });
    for (const { attempts, written } of await ledgerOf(db, id)) expect(attempts).toBe(written);
  });

  test('ends when an operator disables the endpoint in the midst of it', async () => {
    const sink = await sinks.open((response) => void setTimeout(() => response.end(), 50));
    const id = await insertDue(db, owner, sink.url, { count: 2_000 });
    const run = engine.carry(id);
    await until(() => sink.received.length > 30, 'a run at work');
    await setEndpoint(id, { disabled_at: new Date(), disabled_reason: 'operator' });
    await run;
    const { delivered, pending } = await countByStatus(db);
    expect(pending).toBeGreaterThan(500);
    expect(delivered).toBe(sink.received.length);
    expect(await endpoint(id)).toMatchObject({ lease_token: null, disabled_reason: 'operator' });
  });
});

describe('the schedule', () => {
  test('all ten times come within a fifth of their wait, and then it is dead', async () => {
    const waits = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    const sink = await sinks.open((response) => response.writeHead(404).end());
    const id = await insertDue(db, owner, sink.url, { count: 1 });
    for (const [index, wait] of waits.entries()) {
      await engine.carry(id);
      const { rows } = await sql<{ wait: number; lane: number; attempts: number }>`
        select extract(epoch from next_attempt_at - now())::float8 as wait, lane, attempts
        from deliveries`.execute(db);
      expect(rows[0]!.wait).toBeGreaterThan(wait * 0.8 - 5);
      expect(rows[0]!.wait).toBeLessThanOrEqual(wait * 1.2);
      expect(rows[0]).toMatchObject({ attempts: index + 1, lane: index < 2 ? 0 : 2 });
      await makeAllDue(id);
      await setEndpoint(id, { open_until: null });
    }
    await engine.carry(id);
    expect(await ledgerOf(db, id)).toMatchObject([
      { status: 'dead', dead_reason: 'exhausted', attempts: 10, written: 10 },
    ]);
  });

  test('an integration may have its own: other waits, and fewer', async () => {
    const sink = await sinks.open((response) => response.writeHead(500).end());
    const own = await insertOwner(db, key, { retry_waits_s: [40, 80] });
    const id = await insertDue(db, own, sink.url, { count: 1 });
    for (const wait of [40, 80]) {
      await engine.carry(id);
      const [row] = await ledgerOf(db, id);
      const inMs = row!.next_attempt_at.getTime() - Date.now();
      expect(inMs).toBeGreaterThan(wait * 800 - 5_000);
      expect(inMs).toBeLessThan(wait * 1_200 + 5_000);
      await makeAllDue(id);
    }
    await engine.carry(id);
    expect(await ledgerOf(db, id)).toMatchObject([{ status: 'dead', attempts: 3 }]);
  });

  test.each([1, 3, 25])('an integration may have its own cap: %i under way and no more', async (cap) => {
    const { sink, held, release } = await holdingSink();
    const own = await insertOwner(db, key, { in_flight_cap: cap });
    const run = engine.carry(await insertDue(db, own, sink.url, { count: 60 }));
    await until(() => held.length === cap, `${cap} under way`);
    await sleep(300);
    expect(held).toHaveLength(cap);
    const timer = setInterval(() => {
      expect(held.length).toBeLessThanOrEqual(cap);
      release();
    }, 5);
    await run;
    clearInterval(timer);
    expect(sink.received).toHaveLength(60);
  });
});

describe('the breaker', () => {
  test('nothing is sent and no attempt is spent while it is open; then one probe, another one, and the rest', async () => {
    const { sink, held, release } = await holdingSink();
    sink.answerWith((response) => response.writeHead(500).end());
    const id = await insertDue(db, owner, sink.url, { count: 100 });
    await engine.carry(id);
    expect(sink.received).toHaveLength(10);
    expect((await endpoint(id)).open_until!.getTime()).toBeGreaterThan(Date.now() + 20_000);
    const before = await ledgerOf(db, id);
    expect(before.filter(({ attempts }) => attempts === 0)).toHaveLength(90);
    await makeAllDue(id);
    for (let n = 0; n < 3; n += 1) await engine.carry(id);
    expect(sink.received).toHaveLength(10);
    for (const { attempts, written } of await ledgerOf(db, id)) expect(attempts).toBe(written);

    sink.answerWith((response) => void held.push(response));
    await setEndpoint(id, { open_until: sql`now()` });
    const run = engine.carry(id);
    for (const probe of [11, 12]) {
      await until(() => held.length === 1, 'a probe');
      await sleep(300);
      expect(sink.received).toHaveLength(probe);
      release();
    }
    await until(() => held.length === 10, 'as many as it may have');
    sink.answerWith((response) => response.end());
    release();
    await run;
    expect(await countByStatus(db)).toEqual({ delivered: 100 });
    for (const { attempts, written } of await ledgerOf(db, id)) expect(attempts).toBe(written);
  });

  test('a failed probe opens it again and is the only attempt spent', async () => {
    const sink = await sinks.open((response) => response.writeHead(500).end());
    const id = await insertDue(db, owner, sink.url, { count: 40 });
    await engine.carry(id);
    await setEndpoint(id, { open_until: sql`now()` });
    await makeAllDue(id);
    await engine.carry(id);
    expect(sink.received).toHaveLength(11);
    expect(await endpoint(id)).toMatchObject({ opened_times: 2, lease_token: null });
    for (const { attempts, written } of await ledgerOf(db, id)) expect(attempts).toBe(written);
  });

  test('our own faults are put off: no attempt spent, nothing held against the receiver', async () => {
    const sink = await sinks.open();
    const id = await insertDue(db, owner, sink.url, { count: 30 });
    const keyless = startEngine(db, randomBytes(32)); // cannot open the secret
    await keyless.carry(id);
    expect(sink.received).toHaveLength(0);
    for (const row of await ledgerOf(db, id)) {
      expect(row).toMatchObject({ status: 'pending', attempts: 0, lane: 0, written: 1 });
      expect(row.next_attempt_at.getTime()).toBeGreaterThan(Date.now() + 40_000);
    }
    expect(await endpoint(id)).toMatchObject({ window_attempts: 0, failing_since: null, open_until: null });
    await keyless.close();
  });
});
