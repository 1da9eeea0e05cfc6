import { sql } from 'kysely';
import type { Db } from '../db/database.ts';

/**
 * Deletes up to `limit` bodies of handled webhooks that came more than `days` ago, oldest first, from `after` on. Says
 * how many, and when the last of them came.
 */
export async function deleteOldBodies(
  db: Db,
  days: number,
  limit: number,
  after: Date | undefined,
): Promise<{ deleted: number; last: Date | undefined }> {
  const { rows } = await sql<{ received_at: Date }>`
    update inbox set body_sealed = null
    where id = any (array(
      select id from inbox
      where body_sealed is not null and handled_at is not null and received_at < ${daysAgo(days)}
        and received_at >= ${after ?? '-infinity'}
      order by received_at limit ${limit}
      for update skip locked))
    returning received_at`.execute(db);
  const times = rows.map(({ received_at }) => received_at.getTime());
  return { deleted: rows.length, last: rows.length > 0 ? new Date(Math.max(...times)) : after };
}

/** Deletes up to `limit` counts of refused webhooks that are older than `days`, and returns how many. */
export async function deleteOldRefusals(db: Db, days: number, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from inbox
    where id = any (array(
      select id from inbox where reason is not null and received_at < ${daysAgo(days)}
      order by received_at limit ${limit}
      for update skip locked))`.execute(db);
  return Number(numAffectedRows ?? 0);
}

/** By the database's clock: a wrong one of some process must not delete anything. */
function daysAgo(days: number) {
  return sql<Date>`now() - ${days}::integer * interval '1 day'`;
}
