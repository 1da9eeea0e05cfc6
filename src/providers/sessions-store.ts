import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { VerificationSessions } from '../generated/database.ts';
import { newId } from '../kernel/id.ts';

export type Session = Selectable<VerificationSessions>;

/** Claims the right to open the challenge's session; undefined if there is a current one already, or the challenge has ended. */
export function insertOpening(
  db: Db,
  challengeId: string,
  accountId: string,
  now: Date,
): Promise<Session | undefined> {
  return (
    db
      .insertInto('verification_sessions')
      .columns(['id', 'challenge_id', 'provider_account_id', 'status', 'created_at'])
      // One that has ended may be erased: nothing may come after that.
      .expression((eb) =>
        eb
          .selectFrom('challenges')
          .select([
            eb.val(newId()).as('id'),
            'challenges.id as challenge_id',
            eb.val(accountId).as('provider_account_id'),
            eb.val('opening').as('status'),
            eb.val(now).as('created_at'),
          ])
          .where('challenges.id', '=', challengeId)
          .where('completed_at', 'is', null)
          .forShare(),
      )
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst()
  );
}

/** The challenge's session that has not ended. */
export function findCurrentSession(db: Db, challengeId: string): Promise<Session | undefined> {
  return db
    .selectFrom('verification_sessions')
    .selectAll()
    .where('challenge_id', '=', challengeId)
    .where('status', '<>', 'ended')
    .executeTakeFirst();
}

/** Writes down what the provider answered: the session is open. False: its opening was given up meanwhile. */
export async function markOpen(
  db: Db,
  id: string,
  session: {
    provider_session_id: string | null;
    url_sealed: string;
    token_sealed: string | null;
    next_check_at: Date | null;
  },
): Promise<boolean> {
  const row = await db
    .updateTable('verification_sessions')
    .set({ ...session, status: 'open' })
    .where('id', '=', id)
    .where('status', '=', 'opening')
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Gives up a session that could not be opened, if it is still the one begun before `startedBefore`. */
export async function dropOpening(db: Db, challengeId: string, startedBefore: Date): Promise<void> {
  await db
    .deleteFrom('verification_sessions')
    .where('challenge_id', '=', challengeId)
    .where('status', '=', 'opening')
    .where('created_at', '<=', startedBefore)
    .execute();
}

/** Locks the session that the provider knows by this id, within the account whose secret opened the webhook. */
export function lockSession(
  tx: Db,
  accountId: string,
  providerSessionId: string,
): Promise<Session | undefined> {
  return tx
    .selectFrom('verification_sessions')
    .selectAll()
    .where('provider_account_id', '=', accountId)
    .where('provider_session_id', '=', providerSessionId)
    .forUpdate()
    .executeTakeFirst();
}

/** The session in which an attempt was seen before, by the webhooks that named both. */
export async function findSessionIdOfAttempt(
  tx: Db,
  accountId: string,
  attemptId: string,
): Promise<string | undefined> {
  const row = await tx
    .selectFrom('inbox')
    .select('provider_session_id')
    .where('provider_account_id', '=', accountId)
    .where('provider_attempt_id', '=', attemptId)
    .where('provider_session_id', 'is not', null)
    .executeTakeFirst();
  return row?.provider_session_id ?? undefined;
}

/**
 * For a provider that names its sessions only when the person is there: gives the challenge's open session its name,
 * the first that is seen, if it is of that run, and locks it. Undefined: it has another name already, or none is open.
 */
export function bindSession(
  tx: Db,
  accountId: string,
  { challengeId, runId }: { challengeId: string; runId: string | undefined },
  providerSessionId: string,
): Promise<Session | undefined> {
  return tx
    .updateTable('verification_sessions')
    .set({ provider_session_id: providerSessionId })
    .where('provider_account_id', '=', accountId)
    .where('challenge_id', '=', challengeId)
    .where('status', '=', 'open')
    .where('provider_session_id', 'is', null)
    .$if(runId !== undefined, (q) => q.where('id', '=', runId!))
    .returningAll()
    .executeTakeFirst();
}

/** The challenge's newest session at this account, or the one of this run, whatever became of it. */
export function findSessionOf(
  tx: Db,
  accountId: string,
  { challengeId, runId }: { challengeId: string; runId: string | undefined },
): Promise<Session | undefined> {
  return tx
    .selectFrom('verification_sessions')
    .selectAll()
    .where('provider_account_id', '=', accountId)
    .where('challenge_id', '=', challengeId)
    .$if(runId !== undefined, (q) => q.where('id', '=', runId!))
    .orderBy('created_at', 'desc')
    .executeTakeFirst();
}

/** How many of the challenge's runs have come to an end. */
export async function countEnded(tx: Db, challengeId: string): Promise<number> {
  const { ended } = await tx
    .selectFrom('verification_sessions')
    .select((eb) => eb.fn.countAll<string>().as('ended'))
    .where('challenge_id', '=', challengeId)
    .where('status', '=', 'ended')
    .executeTakeFirstOrThrow();
  return Number(ended);
}

/** Notes the newest decision of a session and whether that was its end. */
export async function noteDecision(
  tx: Db,
  id: string,
  noted: { last_decided_at: string | null; last_decision: string; ended: boolean },
): Promise<void> {
  const { ended, ...decision } = noted;
  await tx
    .updateTable('verification_sessions')
    .set({ ...decision, ...(ended ? { status: 'ended', next_check_at: null } : {}) })
    .where('id', '=', id)
    .execute();
}

/**
 * Takes up to `limit` open sessions whose check is due, and sets the next check by `nextCheck(checks so far, when the
 * challenge ends)`; null: none.
 */
export async function takeSessionsToCheck(
  db: Db,
  now: Date,
  limit: number,
  nextCheck: (checks: number, expiresAt: Date) => Date | null,
) {
  return db.transaction().execute(async (tx) => {
    const due = await tx
      .selectFrom('verification_sessions')
      .innerJoin('challenges', 'challenges.id', 'verification_sessions.challenge_id')
      .selectAll('verification_sessions')
      .select((eb) => [
        'challenges.expires_at',
        eb
          .and([eb('challenges.completed_at', 'is', null), eb('challenges.expires_at', '>', now)])
          .as('wanted'),
      ])
      .where('verification_sessions.status', '=', 'open')
      .where('next_check_at', '<=', now)
      .orderBy('next_check_at')
      .limit(limit)
      .forUpdate(['verification_sessions'])
      .skipLocked()
      .execute();
    for (const { id, checks, wanted, expires_at } of due) {
      const set = wanted
        ? { checks: checks + 1, next_check_at: nextCheck(checks, expires_at) }
        : { next_check_at: null };
      await tx.updateTable('verification_sessions').set(set).where('id', '=', id).execute();
    }
    return due.filter((session) => session.wanted);
  });
}
