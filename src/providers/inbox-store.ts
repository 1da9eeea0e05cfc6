import { sql } from 'kysely';
import type { Insertable, NotNull, Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Inbox } from '../generated/database.ts';

/** A webhook that is to be handled; later its body may be gone. */
export type InboxRow = Selectable<Inbox> & { body_sealed: string };
export type NewWebhook = Insertable<Inbox>;

/** Keeps webhooks, each once under its event key. Returns the ids that are new; waits for nobody who handles one. */
export async function keepWebhooks(db: Db, rows: readonly NewWebhook[]): Promise<Set<string>> {
  const kept = await db
    .insertInto('inbox')
    .values(rows.toSorted(byKey))
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .execute();
  return new Set(kept.map(({ id }) => id));
}

/** Counts webhooks that may have come before, or were refused, on the row of the first. */
export async function countWebhooks(db: Db, rows: readonly NewWebhook[]): Promise<void> {
  await db
    .insertInto('inbox')
    .values(rows.toSorted(byKey))
    .onConflict((conflict) =>
      conflict.columns(['provider_account_id', 'event_key']).doUpdateSet((eb) => ({
        copies: eb('inbox.copies', '+', eb.ref('excluded.copies')),
        last_received_at: eb.ref('excluded.last_received_at'),
      })),
    )
    .execute();
}

/** In one order, or two processes with the same rows would wait for each other. */
function byKey(a: NewWebhook, b: NewWebhook): number {
  const [one, other] = [a, b].map((row) => `${row.provider_account_id} ${row.event_key}`) as [string, string];
  return one < other ? -1 : Number(one > other);
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

/** How often an unhandled webhook was tried; undefined if it is handled. */
export function findUnhandled(db: Db, id: string): Promise<{ tries: number } | undefined> {
  return db
    .selectFrom('inbox')
    .select('tries')
    .where('id', '=', id)
    .where('handled_at', 'is', null)
    .executeTakeFirst();
}

/** Whether a webhook of this account names a challenge of its tenant that is erased. */
export async function isErased(db: Db, accountId: string, challengeId: string): Promise<boolean> {
  const row = await db
    .selectFrom('challenges')
    .innerJoin('provider_accounts', 'provider_accounts.tenant_id', 'challenges.tenant_id')
    .select('challenges.id')
    .where('challenges.id', '=', challengeId)
    .where('provider_accounts.id', '=', accountId)
    .where('erased_at', 'is not', null)
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Marks a webhook as handled, with what came of it and the session it turned out to be about. What is said about an
 * erased challenge is not kept.
 */
export async function markHandled(
  tx: Db,
  id: string,
  {
    outcome,
    sessionId,
    challengeId,
  }: { outcome: string; sessionId: string | null; challengeId: string | null },
  now: Date,
): Promise<void> {
  const ofErased = sql<boolean>`exists (
    select from challenges join provider_accounts accounts using (tenant_id)
    where challenges.id = ${challengeId}::uuid and accounts.id = provider_account_id and erased_at is not null
    union all
    select from verification_sessions sessions join challenges on challenges.id = sessions.challenge_id
    where sessions.provider_account_id = inbox.provider_account_id
      and sessions.provider_session_id = ${sessionId} and erased_at is not null)`;
  await tx
    .updateTable('inbox')
    .set({
      ...{ handled_at: now, next_try_at: null, provider_session_id: sessionId },
      ...{ echoed_challenge_id: challengeId },
      outcome,
      body_sealed: sql`case when ${ofErased} then null else body_sealed end`,
    })
    .where('id', '=', id)
    .execute();
}

/** Parks a webhook until `nextTryAt`; `challengeId` is the challenge it turned out to name. */
export async function parkWebhook(
  tx: Db,
  id: string,
  { tries, nextTryAt, challengeId }: { tries: number; nextTryAt: Date; challengeId?: string | null },
): Promise<void> {
  await tx
    .updateTable('inbox')
    .set({ tries, next_try_at: nextTryAt, ...(challengeId ? { echoed_challenge_id: challengeId } : {}) })
    .where('id', '=', id)
    .where('handled_at', 'is', null)
    .execute();
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
