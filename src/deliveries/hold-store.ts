import { sql } from 'kysely';
import type { Db } from '../db/database.ts';
import { waitingEndpoints } from './sweep-store.ts';

/** An event as its bytes name it. */
export type HeldEvent = { id: string; type: string; sequence: number };

/**
 * Where a delivery waits for what its event may still learn. No run looks into this lane, and whoever takes a delivery
 * out of it locks its row: while it is here, nothing of it has been sent, and nobody is about to.
 */
export const HELD_LANE = 3;
const FIRST_LANE = 0;
const BATCH = 5_000;

/** Lets go of what has been held long enough; it goes as it is. What somebody is just rewriting is left to them. */
export async function releaseOverdue(db: Db): Promise<void> {
  await sql`
    ${waitingEndpoints()},
    overdue as (
      select deliveries.id from waiting
      join deliveries on deliveries.endpoint_id = waiting.id and ${isHeld()} and next_attempt_at <= now()
      limit ${BATCH} for update of deliveries skip locked
    )
    update deliveries set lane = ${FIRST_LANE}, next_attempt_at = now()
    from overdue where deliveries.id = overdue.id`.execute(db);
}

/** Lets go at once of what is held of these events, within the caller's transaction. */
export async function releaseHeld(tx: Db, eventIds: readonly string[]): Promise<void> {
  await sql`
    update deliveries set lane = ${FIRST_LANE}, next_attempt_at = now()
    where event_id = any(${eventIds}::uuid[]) and ${isHeld()}`.execute(tx);
}

/** Lets go at once of what is held of a challenge, within the caller's transaction. */
export async function releaseHeldOf(tx: Db, challengeId: string): Promise<void> {
  const events = await findEvents(tx, challengeId);
  await releaseHeld(
    tx,
    events.map(({ id }) => id),
  );
}

/**
 * Writes the bytes of a challenge's events anew and lets go of their deliveries, within the caller's transaction. False,
 * and nothing is written, if one of them is held no longer: its bytes may be on their way, or have been sent again by
 * hand.
 */
export async function rewriteHeld(
  tx: Db,
  challengeId: string,
  bodyOf: (event: HeldEvent) => string,
): Promise<boolean> {
  const events = await findEvents(tx, challengeId);
  const ids = events.map(({ id }) => id);
  const { rows } = await sql<{ held: boolean }>`
    select ${isHeld()} as held from deliveries where event_id = any(${ids}::uuid[])
    order by id for update`.execute(tx);
  if (!rows.every(({ held }) => held)) return false;
  for (const event of events)
    await tx
      .updateTable('events')
      .set({ body: bodyOf(event) })
      .where('id', '=', event.id)
      .execute();
  await releaseHeld(tx, ids);
  return true;
}

/** What died meanwhile, or was canceled, is not. */
function isHeld() {
  return sql`status = 'pending' and lane = ${HELD_LANE}`;
}

function findEvents(tx: Db, challengeId: string): Promise<HeldEvent[]> {
  return (
    tx
      .selectFrom('events')
      .select(['id', 'type', 'sequence'])
      .where('challenge_id', '=', challengeId)
      // What is done in Slack waits for nothing.
      .where('sequence', 'is not', null)
      .$narrowType<{ sequence: number }>()
      .execute()
  );
}
