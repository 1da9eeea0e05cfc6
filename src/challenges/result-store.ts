import type { Db } from '../db/database.ts';
import { DISPUTE_WINDOW_MS, legalFrom } from './challenge.ts';
import type { Challenge } from './challenge.ts';

/**
 * Compare-and-set: marks a verified challenge as disputed, which ends its validity and announces one event more;
 * undefined if it is not verified, was disputed before or erased, or the window has passed.
 */
export function markDisputed(
  db: Db,
  id: string,
  incident_comment: string | null,
  at: Date,
): Promise<Challenge | undefined> {
  return db
    .updateTable('challenges')
    .set({ disputed: true, valid_until: null, incident_reported_at: at, incident_comment })
    .set((eb) => ({ event_sequence: eb('event_sequence', '+', 1) }))
    .where('id', '=', id)
    .where('status', '=', 'verified')
    .where('disputed', '=', false)
    .where('erased_at', 'is', null)
    .where('completed_at', '>', new Date(at.getTime() - DISPUTE_WINDOW_MS))
    .returningAll()
    .executeTakeFirst();
}

/** Compare-and-set: spends a verified result that is still valid; undefined if it is not, or somebody else was first. */
export function markConsumed(db: Db, id: string, at: Date): Promise<Challenge | undefined> {
  return db
    .updateTable('challenges')
    .set({ consumed_at: at })
    .where('id', '=', id)
    .where('status', '=', 'verified')
    .where('disputed', '=', false)
    .where('valid_until', '>', at)
    .where('consumed_at', 'is', null)
    .returningAll()
    .executeTakeFirst();
}

/** Compare-and-set: what the person adds, while the challenge is under way in this browser. */
export function saveResponse(
  db: Db,
  {
    id,
    browser_hash,
    target_response,
    at,
  }: Pick<Challenge, 'id' | 'browser_hash' | 'target_response'> & { at: Date },
): Promise<Challenge | undefined> {
  return db
    .updateTable('challenges')
    .set({ target_response })
    .where('id', '=', id)
    .where('status', '=', 'in-progress')
    .where('browser_hash', '=', browser_hash)
    .where('expires_at', '>', at)
    .returningAll()
    .executeTakeFirst();
}

/** Compare-and-set: what the person adds where there is no browser, while the challenge is open; undefined also if it says that already. */
export function saveOpenResponse(
  db: Db,
  { id, target_response, at }: { id: string; target_response: string; at: Date },
): Promise<Challenge | undefined> {
  return db
    .updateTable('challenges')
    .set({ target_response })
    .where('id', '=', id)
    .where('status', 'in', legalFrom('failed'))
    .where('expires_at', '>', at)
    .where((eb) => eb('target_response', 'is distinct from', target_response))
    .returningAll()
    .executeTakeFirst();
}
