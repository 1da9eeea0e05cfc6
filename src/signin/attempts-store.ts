import { sql } from 'kysely';
import type { Insertable, Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { SignInAttempts } from '../generated/database.ts';

export type Attempt = Selectable<SignInAttempts>;
/** What an attempt ended with when another was begun. */
export const SUPERSEDED = 'superseded';
/** What nobody came back from in time ended with. */
export const TIMED_OUT = 'timed_out';

/** The name of a browser that has been forgotten. */
const NOBODYS = '';
const WIPED = { kept_sealed: null, answer_sealed: null, ticket_hash: null };

/** Begins an attempt; the one before it dies. */
export async function insertAttempt(
  tx: Db,
  attempt: Omit<Insertable<SignInAttempts>, 'status'>,
): Promise<void> {
  await tx
    .updateTable('sign_in_attempts')
    .set({ ...WIPED, status: 'ended', outcome: SUPERSEDED, ended_at: attempt.clicked_at })
    .where('challenge_id', '=', attempt.challenge_id)
    .where('status', '!=', 'ended')
    .execute();
  await tx
    .insertInto('sign_in_attempts')
    .values({ ...attempt, status: 'open' })
    .execute();
}

/** The challenge's attempt whose person is at the IdP. */
export function findOpenAttempt(db: Db, challengeId: string): Promise<Attempt | undefined> {
  return db
    .selectFrom('sign_in_attempts')
    .selectAll()
    .where('challenge_id', '=', challengeId)
    .where('status', '=', 'open')
    .executeTakeFirst();
}

/** Compare-and-set: takes the open attempt that this state belongs to, at this path, for whoever comes first. */
export function takeAttempt(
  db: Db,
  { callbackPath, stateHash, at }: { callbackPath: string; stateHash: string; at: Date },
): Promise<Attempt | undefined> {
  return db
    .updateTable('sign_in_attempts')
    .from('identity_providers')
    .set({ status: 'answered', answered_at: at })
    .whereRef('identity_providers.id', '=', 'sign_in_attempts.identity_provider_id')
    .where('callback_path', '=', callbackPath)
    .where('state_hash', '=', stateHash)
    .where('status', '=', 'open')
    .returningAll('sign_in_attempts')
    .executeTakeFirst();
}

/** The attempt that this state belongs or belonged to. */
export function findAttemptByState(db: Db, stateHash: string): Promise<Attempt | undefined> {
  return db.selectFrom('sign_in_attempts').selectAll().where('state_hash', '=', stateHash).executeTakeFirst();
}

/** Keeps who signed in until the browser shows its ticket; false if the attempt has ended meanwhile. */
export async function keepAnswer(
  db: Db,
  id: string,
  answer: { answer_sealed: string; ticket_hash: string; answered_at: Date },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('sign_in_attempts')
    .set({ ...answer, kept_sealed: null })
    .where('id', '=', id)
    .where('status', '=', 'answered')
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** The challenge's answered attempt that this ticket was given for, since then. */
export function findAnswered(
  db: Db,
  challengeId: string,
  ticketHash: string,
  since: Date,
): Promise<Attempt | undefined> {
  return db
    .selectFrom('sign_in_attempts')
    .selectAll()
    .where('challenge_id', '=', challengeId)
    .where('ticket_hash', '=', ticketHash)
    .where('status', '=', 'answered')
    .where('answered_at', '>', since)
    .executeTakeFirst();
}

/** Compare-and-set: ends an attempt that has been answered; false if it had ended before. */
export async function endAttempt(tx: Db, id: string, outcome: string, at: Date): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('sign_in_attempts')
    .set({ ...WIPED, status: 'ended', outcome, ended_at: at })
    .where('id', '=', id)
    .where('status', '=', 'answered')
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** How many attempts of this browser at this address ended with one of these outcomes. */
export async function countOutcomes(
  tx: Db,
  { challenge_id, browser, address }: Pick<Attempt, 'challenge_id' | 'browser' | 'address'>,
  outcomes: readonly string[],
): Promise<number> {
  const { count } = await tx
    .selectFrom('sign_in_attempts')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('challenge_id', '=', challenge_id)
    .where('browser', '=', browser)
    .where('address', 'is not distinct from', address)
    .where('outcome', 'in', outcomes)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** How the newest attempt of the challenge ended, if it has. */
export async function findLastOutcome(db: Db, challengeId: string): Promise<string | null> {
  const row = await db
    .selectFrom('sign_in_attempts')
    .select('outcome')
    .where('challenge_id', '=', challengeId)
    .orderBy('clicked_at', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.outcome ?? null;
}

/** Writes down an answer that counts once, until then; false if it is written down already. */
export async function useOnce(db: Db, id: string, until: Date): Promise<boolean> {
  const row = await db
    .insertInto('used_assertions')
    .values({ id, expires_at: until })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Ends attempts that were begun before `givenUp` and that nobody came back from, forgets whose browser it was for those
 * that ended before `forgotten`, and forgets answers whose time is over.
 */
export async function tidySignIns(
  db: Db,
  now: Date,
  { givenUp, forgotten }: { givenUp: Date; forgotten: Date },
): Promise<void> {
  await db
    .updateTable('sign_in_attempts')
    .set({ ...WIPED, status: 'ended', outcome: TIMED_OUT, ended_at: now })
    .where('status', '!=', 'ended')
    .where('clicked_at', '<', givenUp)
    .execute();
  await db
    .updateTable('sign_in_attempts')
    .from('challenges')
    .set({ browser: NOBODYS, address: null })
    .whereRef('challenges.id', '=', 'challenge_id')
    // While it is open, tries are counted by them.
    .where('completed_at', 'is not', null)
    .where('ended_at', '<', forgotten)
    .where('browser', '!=', NOBODYS)
    .execute();
  await db
    .deleteFrom('used_assertions')
    .where('expires_at', '<', sql<Date>`${now}`)
    .execute();
}
