import { sql } from 'kysely';
import type { Db } from '../db/database.ts';

const LANES = ['first', 'manual', 'late'] as const;
const ENDPOINT_STATES = ['healthy', 'failing', 'open', 'paused', 'disabled'] as const;
/** BullMQ's jobs, when it runs on PostgreSQL. */
const TABLES = ['deliveries', 'jobs.job'] as const;
/** More is not counted: knowing that it is a lot must not cost a lot. For each endpoint and lane, and for the dead. */
const MAX_COUNTED = 10_000;
const MAX_DEAD_COUNTED = 100_000;

type Lane = (typeof LANES)[number];
type EndpointState = (typeof ENDPOINT_STATES)[number];

/** How much waits to be sent, how long, and why; numbers of the whole installation. */
export type Backlog = {
  /** pending deliveries whose time has come, whatever their endpoint's state; at most 10,000 for each endpoint and lane */
  due: Record<Lane, number>;
  oldestDueSeconds: number;
  endpoints: Record<EndpointState, number>;
  dead: number;
  /** share of dead tuples, 0 to 1; without a table that is not there */
  deadTupleRatios: { [table: string]: number };
  oldestTransactionSeconds: number;
};

/** Everything that the gauges show, in a few statements that stay cheap behind a long backlog. */
export async function measureBacklog(db: Db, now: Date): Promise<Backlog> {
  // One after another: measuring takes one connection from the pool, not all of it.
  const due = await countDue(db, now);
  const oldest = await findOldestDue(db, now);
  const endpoints = await countEndpoints(db, now);
  const dead = await countDead(db);
  return { due, oldestDueSeconds: ageOf(oldest, now), endpoints, dead, ...(await readStatistics(db)) };
}

/** What `countersign doctor` tells about deliveries. */
export async function summarizeBacklog(db: Db, now: Date): Promise<{ oldestDue: Date | null; dead: number }> {
  return { oldestDue: await findOldestDue(db, now), dead: await countDead(db) };
}

/** Seconds since the oldest delivery that somebody should be sending and nobody is; 0: all is well. */
export async function measureOldestDue(db: Db, now: Date): Promise<number> {
  return ageOf(await findOldestDue(db, now), now);
}

function ageOf(time: Date | null, now: Date): number {
  return time ? Math.max(0, (now.getTime() - time.getTime()) / 1_000) : 0;
}

/**
 * The first pending delivery of each endpoint and lane, by jumping from one to the next in the index: the cost grows
 * with the number of endpoints that have something to send, not with the number of deliveries.
 */
const HEADS = sql`recursive heads as (
    (select endpoint_id, lane, next_attempt_at from deliveries where status = 'pending'
      order by endpoint_id, lane, next_attempt_at limit 1)
    union all
    select next.* from heads cross join lateral (
      select d.endpoint_id, d.lane, d.next_attempt_at from deliveries d
      where d.status = 'pending' and (d.endpoint_id, d.lane) > (heads.endpoint_id, heads.lane)
      order by d.endpoint_id, d.lane, d.next_attempt_at limit 1) next
  )`;

async function countDue(db: Db, now: Date): Promise<Backlog['due']> {
  const { rows } = await sql<{ lane: number; count: string }>`
    with ${HEADS}
    select heads.lane, sum(counted.count) as count from heads cross join lateral (
      select count(*) from (
        select from deliveries d
        where d.status = 'pending' and d.endpoint_id = heads.endpoint_id and d.lane = heads.lane
          and d.next_attempt_at <= ${now}
        limit ${MAX_COUNTED}) capped) counted
    where heads.next_attempt_at <= ${now}
    group by heads.lane`.execute(db);
  const counts = new Map(rows.map(({ lane, count }) => [LANES[lane], Number(count)]));
  return recordOf(LANES, counts);
}

/**
 * An endpoint's lease means that somebody is at it. The `limit 1` makes it one look at the primary key for each; as a join, the planner may take a square of all endpoints.
 */
async function findOldestDue(db: Db, now: Date): Promise<Date | null> {
  const { rows } = await sql<{ oldest: Date | null }>`
    with ${HEADS}
    select min(heads.next_attempt_at) as oldest from heads cross join lateral (
      select from endpoints e
      where e.id = heads.endpoint_id and e.disabled_at is null
        and (e.open_until is null or e.open_until <= ${now})
        and (e.paused_until is null or e.paused_until <= ${now})
        and (e.lease_token is null or e.lease_until <= ${now})
      limit 1) sendable
    where heads.next_attempt_at <= ${now}`.execute(db);
  return rows[0]?.oldest ?? null;
}

async function countEndpoints(db: Db, now: Date): Promise<Backlog['endpoints']> {
  const { rows } = await sql<{ state: EndpointState; count: string }>`
    select case
        when disabled_at is not null then 'disabled'
        when open_until > ${now} then 'open'
        when paused_until > ${now} then 'paused'
        when failing_since is not null then 'failing'
        else 'healthy'
      end as state, count(*)
    from endpoints group by 1`.execute(db);
  return recordOf(ENDPOINT_STATES, new Map(rows.map(({ state, count }) => [state, Number(count)])));
}

async function countDead(db: Db): Promise<number> {
  const { rows } = await sql<{ count: string }>`
    select count(*) from (
      select from deliveries where status = 'dead' limit ${MAX_DEAD_COUNTED}) capped`.execute(db);
  return Number(rows[0]?.count);
}

/** What PostgreSQL knows of itself: dead tuples slow every claim down, and an old transaction keeps vacuum from them. */
async function readStatistics(
  db: Db,
): Promise<Pick<Backlog, 'deadTupleRatios' | 'oldestTransactionSeconds'>> {
  const { rows: tables } = await sql<{ name: string; ratio: number }>`
    select name, (n_dead_tup / greatest(n_live_tup + n_dead_tup, 1)::float8) as ratio
    from unnest(${[...TABLES]}::text[]) name
    join pg_stat_user_tables on relid = to_regclass(name)`.execute(db);
  // By the database's own clock, which started them.
  const { rows: transactions } = await sql<{ seconds: number | null }>`
    select extract(epoch from clock_timestamp() - min(xact_start))::float8 as seconds
    from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`.execute(
    db,
  );
  return {
    deadTupleRatios: Object.fromEntries(tables.map(({ name, ratio }) => [name, ratio])),
    oldestTransactionSeconds: Math.max(0, transactions[0]?.seconds ?? 0),
  };
}

function recordOf<T extends string>(
  names: readonly T[],
  counts: Map<T | undefined, number>,
): Record<T, number> {
  return Object.fromEntries(names.map((name) => [name, counts.get(name) ?? 0])) as Record<T, number>;
}
