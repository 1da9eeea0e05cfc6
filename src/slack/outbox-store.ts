import type { Insertable } from 'kysely';
import type { Db } from '../db/database.ts';
import { SLACK_URL } from '../deliveries/endpoint.ts';
import { recordDelivery } from '../deliveries/outbox-store.ts';
import type { Events } from '../generated/database.ts';

/** Writes something that is to be done in a workspace, with its delivery, within the caller's transaction; false if there is one with this id. */
export async function insertOnce(
  tx: Db,
  event: Insertable<Events>,
  integration_id: string,
): Promise<boolean> {
  const row = await tx
    .insertInto('events')
    .values(event)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst();
  if (row) await recordDelivery(tx, event, { integration_id, url: SLACK_URL }, { trigger: 'event', lane: 0 });
  return row !== undefined;
}

/** Notes which challenge came of a command, so that both are erased together. */
export async function linkCommand(db: Db, eventId: string, challenge_id: string): Promise<void> {
  await db.updateTable('events').set({ challenge_id }).where('id', '=', eventId).execute();
}
