import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import type { Db } from '../db/database.ts';
import type { DB } from '../generated/database.ts';

/** A place in the events that still have a body, oldest first. */
export type Place = { occurred_at: string; id: string };

/** Any number, the same in every process: two never make or drop the same partition at once. */
const PARTITIONS_LOCK = 7_230_453;
/** A result of a callback may have to wait behind us for as long; whoever holds us up longer is left alone. */
const LOCK_WAIT_MS = 1_000;
const NAME = /^delivery_attempts_(\d{4})(\d\d)(\d\d)$/;

/** The days, as 2026-11-20, from today to `ahead` days later that have no partition for their attempts. */
export async function findDaysToMake(db: Db, ahead: number): Promise<string[]> {
  const { rows } = await sql<{ day: string }>`
    select to_char(day, 'YYYY-MM-DD') as day
    from generate_series(${today()}, ${today()} + ${ahead}::integer * interval '1 day', interval '1 day') as day
    where to_regclass('delivery_attempts_' || to_char(day, 'YYYYMMDD')) is null
    order by day`.execute(db);
  return rows.map(({ day }) => day);
}

/** The days whose attempts are all older than `days`, by the partitions there are. */
export async function findDaysToDrop(db: Db, days: number): Promise<string[]> {
  const { rows } = await sql<{ name: string; oldest_kept: string }>`
    select relname as name, to_char(${today()} - ${days}::integer * interval '1 day', 'YYYY-MM-DD') as oldest_kept
    from pg_inherits join pg_class on pg_class.oid = inhrelid
    where inhparent = 'delivery_attempts'::regclass
    order by relname`.execute(db);
  return rows.flatMap(({ name, oldest_kept }) => {
    const [whole, year, month, day] = NAME.exec(name) ?? [];
    const date = `${year}-${month}-${day}`;
    return whole && date < oldest_kept ? [date] : [];
  });
}

/**
 * Makes the partition of one day; false if it is there, or if attempts of that day are in the default partition already
 * (they may stay there). Made apart and then attached, which lets attempts be written meanwhile.
 */
export function makePartition(db: Kysely<DB>, day: string): Promise<boolean> {
  const [name, from, to] = [nameOf(day), startOf(day), startOf(nextDay(day))];
  return alone(db, async (tx) => {
    const { rows } = await sql<{ possible: boolean }>`
      select to_regclass(${name}) is null and not exists (
        select from delivery_attempts_other where started_at >= ${from} and started_at < ${to}
      ) as possible`.execute(tx);
    if (!rows[0]?.possible) return false;
    await sql`create table ${sql.id(name)} (like delivery_attempts including all)`.execute(tx);
    await sql`alter table delivery_attempts attach partition ${sql.id(name)}
      for values from (${sql.lit(from)}) to (${sql.lit(to)})`.execute(tx);
    return true;
  });
}

/** Drops the partition of one day with all its attempts. */
export function dropPartition(db: Kysely<DB>, day: string): Promise<void> {
  return alone(db, async (tx) => {
    await sql`drop table if exists ${sql.id(nameOf(day))}`.execute(tx);
  });
}

/**
 * Deletes up to `limit` attempts older than `days` that are in no day's partition, and returns how many. A clock that
 * was ahead wrote times yet to come, so what its delivery says counts too.
 */
export async function deleteStrayAttempts(db: Db, days: number, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from delivery_attempts_other where ctid = any (array(
      select stray.ctid from delivery_attempts_other stray left join deliveries on deliveries.id = delivery_id
      where started_at < ${daysAgo(days)} or completed_at < ${daysAgo(days)}
      limit ${limit}))`.execute(db);
  return Number(numAffectedRows ?? 0);
}

/**
 * Looks at up to `limit` events from `after` on and deletes the bodies of those that are over: nothing about them is
 * pending or under way, and the last delivery (without one, the event) ended more than `days` ago. A message in Slack
 * is not over before its challenge is. Returns the place to go on from, undefined at the end.
 */
export async function deleteBodies(
  db: Db,
  days: number,
  limit: number,
  after: Place | undefined,
): Promise<{ deleted: number; next: Place | undefined }> {
  const from = after
    ? sql`(occurred_at, id) > (${after.occurred_at}::timestamptz, ${after.id}::uuid)`
    : sql`true`;
  // A subquery for each event and no join: the planner must not think of reading all deliveries.
  const { rows } = await sql<Place & { seen: string; deleted: string }>`
    with seen as materialized (
      select id, occurred_at, coalesce((
        select bool_and(completed_at is not null and completed_at < ${daysAgo(days)})
        from deliveries where event_id = events.id), true) and not exists (
        select from slack_messages join challenges on challenges.id = slack_messages.challenge_id
        where event_id = events.id and coalesce(challenges.completed_at >= ${daysAgo(days)}, true)) as over
      from events
      where body is not null and occurred_at < ${daysAgo(days)} and ${from}
      order by occurred_at, id limit ${limit}
    ), deleted as (
      update events set body = null from seen where events.id = seen.id and over returning events.id
    )
    select occurred_at::text, id, (select count(*) from seen) as seen, (select count(*) from deleted) as deleted
    from seen order by seen.occurred_at desc, id desc limit 1`.execute(db);
  const [last] = rows;
  if (!last) return { deleted: 0, next: undefined };
  const { occurred_at, id } = last;
  return {
    deleted: Number(last.deleted),
    next: Number(last.seen) < limit ? undefined : { occurred_at, id },
  };
}

/** Forgets which URLs answered 410 more than `days` ago: what is sent there next is tried again. */
export async function forgetGoneUrls(db: Db, days: number): Promise<void> {
  await db.deleteFrom('gone_urls').where('gone_at', '<', daysAgo(days)).execute();
}

/** One process at a time, and never long in anybody's way. */
function alone<T>(db: Kysely<DB>, work: (tx: Db) => Promise<T>): Promise<T> {
  return db.transaction().execute(async (tx) => {
    await sql`select set_config('lock_timeout', ${String(LOCK_WAIT_MS)}, true)`.execute(tx);
    await sql`select pg_advisory_xact_lock(${PARTITIONS_LOCK})`.execute(tx);
    return work(tx);
  });
}

/** The database's day: its clock rules all processes, and a wrong clock of one of them must not drop anything. */
function today() {
  return sql`date_trunc('day', now() at time zone 'utc')`;
}

function daysAgo(days: number) {
  return sql<Date>`now() - ${days}::integer * interval '1 day'`;
}

function nameOf(day: string): string {
  return `delivery_attempts_${day.replaceAll('-', '')}`;
}

function startOf(day: string): string {
  return `${day} 00:00:00+00`;
}

function nextDay(day: string): string {
  return new Date(Date.parse(day) + 24 * 3_600_000).toISOString().slice(0, 10);
}
