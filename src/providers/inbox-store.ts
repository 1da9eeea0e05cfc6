import type { Insertable, Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Inbox } from '../generated/database.ts';

export type InboxRow = Selectable<Inbox>;

/** Keeps a webhook once: false if its event key is known already. */
export async function keepWebhook(db: Db, row: Insertable<Inbox>): Promise<boolean> {
  const kept = await db
    .insertInto('inbox')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  return kept !== undefined;
}

/** Locks an unhandled webhook; undefined if it is handled or somebody is at it. */
export function lockWebhook(tx: Db, id: string): Promise<InboxRow | undefined> {
  return tx
    .selectFrom('inbox')
    .selectAll()
    .where('id', '=', id)
    .where('handled_at', 'is', null)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
}

/** Marks a webhook as handled, with what came of it. */
export async function markHandled(tx: Db, id: string, outcome: string, now: Date): Promise<void> {
  await tx
    .updateTable('inbox')
    .set({ handled_at: now, outcome, next_try_at: null })
    .where('id', '=', id)
    .execute();
}

/** Parks a webhook whose session is not known yet until `nextTryAt`. */
export async function parkWebhook(tx: Db, id: string, tries: number, nextTryAt: Date): Promise<void> {
  await tx.updateTable('inbox').set({ tries, next_try_at: nextTryAt }).where('id', '=', id).execute();
}

/** Takes up to `limit` unhandled webhooks that are due and trusts a job with each until `until`. */
export function takeUnhandled(
  db: Db,
  now: Date,
  until: Date,
  limit: number,
): Promise<{ id: string; tries: number }[]> {
  return db
    .updateTable('inbox')
    .set({ next_try_at: until })
    .where('id', 'in', (eb) =>
      eb
        .selectFrom('inbox')
        .select('id')
        .where('handled_at', 'is', null)
        .where('next_try_at', '<=', now)
        .orderBy('next_try_at')
        .limit(limit)
        .forUpdate()
        .skipLocked(),
    )
    .returning(['id', 'tries'])
    .execute();
}

/** Makes webhooks that came before their session was known due at once. */
export async function unparkWebhooks(
  db: Db,
  accountId: string,
  providerSessionId: string,
  now: Date,
): Promise<void> {
  await db
    .updateTable('inbox')
    .set({ next_try_at: now })
    .where('provider_account_id', '=', accountId)
    .where('provider_session_id', '=', providerSessionId)
    .where('handled_at', 'is', null)
    .execute();
}
