import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Insertable } from 'kysely';
import { sql } from 'kysely';
import { measureBacklog, measureOldestDue, summarizeBacklog } from '../../src/deliveries/backlog-store.ts';
import type { Deliveries, Endpoints } from '../../src/generated/database.ts';
import { newId } from '../../src/kernel/id.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

const NOW = new Date('2026-01-01T12:00:00Z');
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1_000);
const ahead = (seconds: number) => ago(-seconds);
const [TENANT, INTEGRATION, EVENT] = [newId(), newId(), newId()];

let database: TestDatabase;
let db: TestDatabase['db'];
beforeAll(async () => {
  database = await createDatabase();
  db = database.db;
  await db.insertInto('tenants').values({ id: TENANT, name: 'T' }).execute();
  await db
    .insertInto('integrations')
    .values({ id: INTEGRATION, tenant_id: TENANT, name: 'I', mode: 'test' })
    .execute();
  await db
    .insertInto('events')
    .values({ id: EVENT, tenant_id: TENANT, mode: 'test', type: 'test', occurred_at: NOW })
    .execute();
});
afterEach(async () => {
  await db.deleteFrom('deliveries').execute();
  await db.deleteFrom('endpoints').execute();
});
afterAll(() => database.close());

async function endpoint(fields: Partial<Insertable<Endpoints>> = {}): Promise<string> {
  const id = newId();
  const origin = `https://${id}.example`;
  await db
    .insertInto('endpoints')
    .values({
      id,
      tenant_id: TENANT,
      integration_id: INTEGRATION,
      mode: 'test',
      origin,
      created_at: NOW,
      ...fields,
    })
    .execute();
  return id;
}

async function delivery(endpoint_id: string, fields: Partial<Insertable<Deliveries>>): Promise<void> {
  await db
    .insertInto('deliveries')
    .values({
      ...{ id: newId(), event_id: EVENT, endpoint_id, tenant_id: TENANT, integration_id: INTEGRATION },
      ...{ url: 'https://example.com', next_attempt_at: NOW, created_at: NOW, ...fields },
    })
    .execute();
}

const ended = (status: 'dead' | 'delivered' | 'canceled') => ({ status, completed_at: NOW });

describe('how long the oldest delivery waits', () => {
  test('is 0 when there is none, or none whose time has come', async () => {
    expect(await measureOldestDue(db, NOW)).toBe(0);
    const one = await endpoint();
    await delivery(one, { next_attempt_at: ahead(1) });
    await delivery(one, { next_attempt_at: ago(500), ...ended('delivered') });
    await delivery(one, { next_attempt_at: ago(500), ...ended('dead') });
    await delivery(one, { next_attempt_at: ago(500), ...ended('canceled') });
    expect(await measureOldestDue(db, NOW)).toBe(0);
  });

  test.each([0, 1, 2])('is found in lane %i and at any endpoint', async (lane) => {
    for (let n = 0; n < 4; n += 1) {
      const id = await endpoint();
      for (const other of [0, 1, 2]) await delivery(id, { lane: other, next_attempt_at: ago(10 + n) });
    }
    const late = await endpoint();
    await delivery(late, { lane, next_attempt_at: ago(90) });
    await delivery(late, { lane, next_attempt_at: ago(20) });
    await delivery(late, { lane, next_attempt_at: ahead(500) });
    await delivery(await endpoint(), { next_attempt_at: ago(15) });
    expect(await measureOldestDue(db, NOW)).toBe(90);
  });

  test.each([
    ['disabled', { disabled_at: ago(900), disabled_reason: 'operator' as const }],
    ['behind an open breaker', { open_until: ahead(1) }],
    ['paused', { paused_until: ahead(1) }],
    ['in somebody’s hands', { lease_token: newId(), lease_until: ahead(1) }],
  ])('does not count what goes to an endpoint that is %s', async (_state, fields) => {
    const id = await endpoint(fields);
    await delivery(id, { next_attempt_at: ago(300) });
    await delivery(await endpoint(), { next_attempt_at: ago(30) });
    expect(await measureOldestDue(db, NOW)).toBe(30);
  });

  test.each([
    ['the breaker waits for its probe', { open_until: NOW }],
    ['the pause is over', { paused_until: NOW }],
    ['the lease has lapsed', { lease_token: newId(), lease_until: NOW }],
    ['it only fails', { failing_since: ago(9_000) }],
  ])('counts again once %s', async (_state, fields) => {
    await delivery(await endpoint(fields), { next_attempt_at: ago(300) });
    expect(await measureOldestDue(db, NOW)).toBe(300);
  });

  test('costs a few rows for each endpoint, however long the backlog of one is', async () => {
    const [noisy, ...others] = await Promise.all(Array.from({ length: 200 }, () => endpoint()));
    for (const id of others) await delivery(id, { next_attempt_at: ago(10) });
    await sql`
      insert into deliveries (id, event_id, endpoint_id, tenant_id, integration_id, url, lane, next_attempt_at, created_at)
      select gen_random_uuid(), ${EVENT}, ${noisy}, ${TENANT}, ${INTEGRATION}, 'https://example.com', i % 3,
        ${ago(60)}::timestamptz + i * interval '1 ms', ${NOW}
      from generate_series(0, 29999) i`.execute(db);
    const read = await db.transaction().execute(async (tx) => {
      expect(await measureOldestDue(tx, NOW)).toBe(60);
      const { rows } = await sql<{ count: string }>`
        select seq_tup_read + coalesce(idx_tup_fetch, 0) as count from pg_stat_xact_user_tables
        where relid = 'deliveries'::regclass`.execute(tx);
      return Number(rows[0]?.count);
    });
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(1_000);
    // What is counted is capped: 10,000 of this endpoint in each lane, and the others.
    expect((await measureBacklog(db, NOW)).due).toEqual({ first: 10_199, manual: 10_000, late: 10_000 });
    await sql`delete from deliveries where endpoint_id = ${noisy} and next_attempt_at > ${ago(59)}`.execute(
      db,
    );
    expect((await measureBacklog(db, NOW)).due.first).toBe(199 + 334);
  });
});

describe('what the gauges show', () => {
  test('everything is there when there is nothing', async () => {
    expect(await measureBacklog(db, NOW)).toMatchObject({
      due: { first: 0, manual: 0, late: 0 },
      oldestDueSeconds: 0,
      endpoints: { healthy: 0, failing: 0, open: 0, paused: 0, disabled: 0 },
      dead: 0,
    });
  });

  test('what is due is counted by lane, whatever its endpoint’s state; what is not due or done is not', async () => {
    const [one, shut] = [await endpoint(), await endpoint({ open_until: ahead(60) })];
    for (const lane of [0, 0, 0, 1, 2, 2]) await delivery(one, { lane, next_attempt_at: ago(5) });
    await delivery(shut, { lane: 1, next_attempt_at: ago(5) });
    await delivery(one, { next_attempt_at: NOW });
    await delivery(one, { next_attempt_at: ahead(1) });
    await delivery(one, ended('dead'));
    const { due, oldestDueSeconds } = await measureBacklog(db, NOW);
    expect(due).toEqual({ first: 4, manual: 2, late: 2 });
    expect(oldestDueSeconds).toBe(5);
  });

  test('an endpoint is counted once, under what keeps it from receiving', async () => {
    const bad = { failing_since: ago(60) };
    const off = { disabled_at: ago(60), disabled_reason: 'failing' as const };
    await endpoint();
    await endpoint({ open_until: null, paused_until: ago(1) });
    await endpoint(bad);
    await endpoint({ ...bad, open_until: NOW }); // half-open
    await endpoint({ ...bad, paused_until: ahead(1) });
    await endpoint({ ...bad, open_until: ahead(1), paused_until: ahead(1) });
    await endpoint({ ...bad, ...off, open_until: ahead(1), paused_until: ahead(1) });
    const { endpoints } = await measureBacklog(db, NOW);
    expect(endpoints).toEqual({ healthy: 2, failing: 2, paused: 1, open: 1, disabled: 1 });
  });

  test('the doctor hears when the oldest was due, and how many were given up', async () => {
    expect(await summarizeBacklog(db, NOW)).toEqual({ oldestDue: null, dead: 0 });
    const id = await endpoint();
    await delivery(id, ended('dead'));
    await delivery(id, ended('dead'));
    await delivery(id, { next_attempt_at: ago(70) });
    expect(await summarizeBacklog(db, NOW)).toEqual({ oldestDue: ago(70), dead: 2 });
    expect((await measureBacklog(db, NOW)).dead).toBe(2);
  });

  test('dead tuples show as a share, of our table and of the queue’s', async () => {
    await db.connection().execute(async (one) => {
      await sql`insert into jobs.job (queue, id, seq, name, state, added_at_ms)
        select 'q', 'j' || i, i, 'n', 'waiting', 0 from generate_series(1, 8) i`.execute(one);
      await sql`delete from jobs.job where seq <= 2`.execute(one);
      await sql`select pg_stat_force_next_flush()`.execute(one);
    });
    const { deadTupleRatios } = await measureBacklog(db, NOW);
    expect(deadTupleRatios).toEqual({ deliveries: expect.any(Number), 'jobs.job': 0.25 });
  });

  test('a transaction that somebody left open shows its age', async () => {
    expect((await measureBacklog(db, NOW)).oldestTransactionSeconds).toBe(0);
    await db.transaction().execute(async (tx) => {
      await sql`select pg_sleep(0.3)`.execute(tx);
      const { oldestTransactionSeconds } = await measureBacklog(db, NOW);
      expect(oldestTransactionSeconds).toBeGreaterThan(0.25);
      expect(oldestTransactionSeconds).toBeLessThan(30);
    });
  });
});
