import type { Db } from '../db/database.ts';
import { legalFrom } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import type { Acting } from './test-targets.ts';

/**
 * Locks up to `limit` challenges whose test target is to act, or to begin because they were created before `begin`; those
 * that another process holds are left out.
 */
export function lockActing(
  db: Db,
  { now, begin, limit }: { now: Date; begin: Date; limit: number },
): Promise<Challenge[]> {
  return db
    .selectFrom('challenges')
    .selectAll()
    .where('acts_at', 'is not', null)
    .where('status', 'in', legalFrom('verified'))
    .where('expires_at', '>', now)
    .where((eb) =>
      eb.or([
        eb('acts_at', '<=', now),
        eb.and([eb('status', '=', 'initiated'), eb('created_at', '<=', begin)]),
      ]),
    )
    .orderBy('acts_at')
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .execute();
}

/** Writes down what the target does by itself from now on. */
export async function setActing(db: Db, id: string, acting: Acting): Promise<void> {
  await db.updateTable('challenges').set(acting).where('id', '=', id).execute();
}
