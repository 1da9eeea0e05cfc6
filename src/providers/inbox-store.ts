import { sql } from 'kysely';
import type { Insertable, NotNull, Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Inbox } from '../generated/database.ts';

/** A webhook that is to be handled; later its body may be gone. */
export type InboxRow = Selectable<Inbox> & { body_sealed: string };
export type NewWebhook = Insertable<Inbox>;

/** Keeps webhooks, each once under its event key; what is known already is counted. Returns the ids that are new. */
export async function keepWebhooks(db: Db, rows: readonly NewWebhook[]): Promise<Set<string>> {
  const kept = await db
    .insertInto('inbox')
    // In one order, or two processes with the same duplicates would wait for each other.
    .values(rows.toSorted((a, b) => (a.event_key < b.event_key ? -1 : 1)))
    .onConflict((conflict) =>
      conflict.columns(['provider_account_id', 'event_key']).doUpdateSet((eb) => ({
        copies: eb('inbox.copies', '+', eb.ref('excluded.copies')),
        last_received_at: eb.ref('excluded.last_received_at'),
      })),
    )
    .returning('id')
    .execute();
  return new Set(kept.map(({ id }) => id));
}

/** Locks an unhandled webhook; undefined if it is handled. Waits for whoever counts a duplicate of it. */
export function lockWebhook(tx: Db, id: string): Promise<InboxRow | undefined> {
  return tx
    .selectFrom('inbox')
    .selectAll()
    .where('id', '=', id)
    .where('handled_at', 'is', null)
    .where('body_sealed', 'is not', null)
    .$narrowType<{ body_sealed: NotNull }>()
    .forUpdate()
    .executeTakeFirst();
}

/**
 * Marks a webhook as handled, with what came of it and the session it turned out to be about. What is said about an
 * erased challenge is not kept.
 */
export async function markHandled(
  tx: Db,
  id: string,
  { outcome, sessionId }: { outcome: string; sessionId: string | null },
  now: Date,
): Promise<void> {
  const body_sealed = sql<string | null>`case when exists (
    select from verification_sessions sessions join challenges on challenges.id = challenge_id
    where sessions.provider_account_id = inbox.provider_account_id
      and sessions.provider_session_id = ${sessionId} and erased_at is not null
  ) then null else body_sealed end`;
  await tx
    .updateTable('inbox')
    .set({ handled_at: now, outcome, provider_session_id: sessionId, next_try_at: null, body_sealed })
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

/** How many webhooks should have been handled by `before` and are not, and how many were refused since `since`. */
export async function summarizeInbox(
  db: Db,
  { before, since }: { before: Date; since: Date },
): Promise<{ overdue: number; refused: number }> {
  const { overdue, refused } = await db
    .selectNoFrom((eb) => [
      eb
        .selectFrom('inbox')
        .select((of) => of.fn.countAll<string>().as('n'))
        .where('handled_at', 'is', null)
        .where('next_try_at', '<', before)
        .as('overdue'),
      eb
        .selectFrom('inbox')
        .select((of) => of.fn.sum<string | null>('copies').as('n'))
        .where('reason', 'is not', null)
        .where('received_at', '>', since)
        .as('refused'),
    ])
    .executeTakeFirstOrThrow();
  return { overdue: Number(overdue), refused: Number(refused) };
}
