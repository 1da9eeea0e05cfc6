import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { SlackMessages } from '../generated/database.ts';
import type { Place } from './client.ts';

export type Message = Selectable<SlackMessages>;

/** The message that this event keeps up to date; undefined once its challenge was erased, and no more is to be done in Slack. */
export function findMessage(db: Db, eventId: string): Promise<Message | undefined> {
  return db.selectFrom('slack_messages').selectAll().where('event_id', '=', eventId).executeTakeFirst();
}

/** A challenge's card; undefined once the challenge was erased. */
export function findCard(db: Db, challengeId: string): Promise<Message | undefined> {
  return db
    .selectFrom('slack_messages')
    .selectAll()
    .where('challenge_id', '=', challengeId)
    .where('role', '=', 'card')
    .where('target_user', 'is not', null)
    .executeTakeFirst();
}

/** Notes since when it may stand in Slack without our knowing (null: it does not); false once its challenge was erased. */
export async function markPosting(db: Db, eventId: string, since: Date | null): Promise<boolean> {
  const row = await db
    .updateTable('slack_messages')
    .set({ posting_at: since })
    .where('event_id', '=', eventId)
    .where('recipient', 'is not', null)
    .returning('event_id')
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Notes where it stands and what it shows; no place: it is gone, and may be posted anew. False once its challenge was
 * erased: then only where it stands is kept, until it is rewritten.
 */
export async function savePlace(
  db: Db,
  eventId: string,
  place: Place | undefined,
  hash: string | null,
): Promise<boolean> {
  const { channel_id = null, ts = null } = place ?? {};
  const row = await db
    .updateTable('slack_messages')
    .set((eb) => ({
      ...{ channel_id, ts, posting_at: null },
      shown_hash: eb.case().when('recipient', 'is', null).then(null).else(hash).end(),
    }))
    .where('event_id', '=', eventId)
    .returning('recipient')
    .executeTakeFirst();
  return row !== undefined && row.recipient !== null;
}

/** Forgets a message whose challenge was erased: it has nothing in it any more. */
export async function forgetMessage(db: Db, eventId: string): Promise<void> {
  await db.deleteFrom('slack_messages').where('event_id', '=', eventId).execute();
}

/** Compare-and-set: counts a press of a button in the card; false if one of that time or later has counted already. */
export async function countPress(db: Db, challengeId: string, pressedAt: string): Promise<boolean> {
  const row = await db
    .updateTable('slack_messages')
    .set({ pressed_at: pressedAt })
    .where('challenge_id', '=', challengeId)
    .where('role', '=', 'card')
    .where('target_user', 'is not', null)
    .where((eb) => eb.or([eb('pressed_at', 'is', null), eb('pressed_at', '<', pressedAt)]))
    .returning('event_id')
    .executeTakeFirst();
  return row !== undefined;
}
