import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { SlackMessages } from '../generated/database.ts';
import type { Place } from './client.ts';

export type Message = Selectable<SlackMessages>;

/** The message that this event keeps up to date; undefined once its challenge was erased. */
export function findMessage(db: Db, eventId: string): Promise<Message | undefined> {
  return db.selectFrom('slack_messages').selectAll().where('event_id', '=', eventId).executeTakeFirst();
}

/** A challenge's card. */
export function findCard(db: Db, challengeId: string): Promise<Message | undefined> {
  return db
    .selectFrom('slack_messages')
    .selectAll()
    .where('challenge_id', '=', challengeId)
    .where('role', '=', 'card')
    .executeTakeFirst();
}

/** Notes that posting it begins, or (null) that it certainly was not posted. */
export async function markPosting(db: Db, eventId: string, at: Date | null): Promise<void> {
  await db.updateTable('slack_messages').set({ posting_at: at }).where('event_id', '=', eventId).execute();
}

/** Notes where it stands and what it shows; no place: it is gone, and may be posted anew. */
export async function savePlace(
  db: Db,
  eventId: string,
  place: Place | undefined,
  shown_hash: string | null,
): Promise<void> {
  const { channel_id = null, ts = null } = place ?? {};
  await db
    .updateTable('slack_messages')
    .set({ channel_id, ts, shown_hash, posting_at: null })
    .where('event_id', '=', eventId)
    .execute();
}

/** Compare-and-set: counts a press of a button in the card; false if one of that time or later has counted already. */
export async function countPress(db: Db, challengeId: string, pressedAt: string): Promise<boolean> {
  const row = await db
    .updateTable('slack_messages')
    .set({ pressed_at: pressedAt })
    .where('challenge_id', '=', challengeId)
    .where('role', '=', 'card')
    .where((eb) => eb.or([eb('pressed_at', 'is', null), eb('pressed_at', '<', pressedAt)]))
    .returning('event_id')
    .executeTakeFirst();
  return row !== undefined;
}
