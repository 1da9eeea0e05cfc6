import type { Selectable, Updateable } from 'kysely';
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

/** Notes since when it may stand in Slack without our knowing (null: it does not); false once its challenge was erased. */
export async function markPosting(db: Db, eventId: string, since: Date | null): Promise<boolean> {
  return change(db, eventId, { posting_at: since });
}

/** Notes where it stands and what it shows; no place: it is gone, and may be posted anew. False once its challenge was erased. */
export async function savePlace(
  db: Db,
  eventId: string,
  place: Place | undefined,
  shown_hash: string | null,
): Promise<boolean> {
  const { channel_id = null, ts = null } = place ?? {};
  return change(db, eventId, { channel_id, ts, shown_hash, posting_at: null });
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

async function change(db: Db, eventId: string, columns: Updateable<SlackMessages>): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('slack_messages')
    .set(columns)
    .where('event_id', '=', eventId)
    .executeTakeFirstOrThrow();
  return Number(numUpdatedRows) > 0;
}
