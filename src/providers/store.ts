import { sql } from 'kysely';
import type { Insertable, Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Inbox, ProviderAccounts, VerificationSessions } from '../generated/database.ts';
import { newId } from '../kernel/id.ts';

export type Account = Selectable<ProviderAccounts>;
export type Session = Selectable<VerificationSessions>;
export type InboxRow = Selectable<Inbox>;

/** Where sealed values belong, so that one copied to another row does not open. */
export const sealContext = {
  settings: (accountId: string) => `provider_accounts:${accountId}`,
  url: (sessionId: string) => `verification_sessions:${sessionId}`,
  body: (inboxId: string) => `inbox:${inboxId}`,
};

/** The account with this id at this provider. */
export function findAccount(db: Db, provider: string, id: string): Promise<Account | undefined> {
  return db
    .selectFrom('provider_accounts')
    .selectAll()
    .where('id', '=', id)
    .where('provider', '=', provider)
    .executeTakeFirst();
}

/** The account with this id; throws if there is none. */
export function findAccountById(db: Db, id: string): Promise<Account> {
  return db.selectFrom('provider_accounts').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

/** All accounts of all tenants. */
export function listAccounts(db: Db): Promise<Account[]> {
  return db.selectFrom('provider_accounts').selectAll().orderBy('id').execute();
}

/** The tenant's account at a provider in one mode. */
export function findAccountOf(
  db: Db,
  tenantId: string,
  mode: 'test' | 'live',
  provider: string,
): Promise<Account | undefined> {
  return db
    .selectFrom('provider_accounts')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('mode', '=', mode)
    .where('provider', '=', provider)
    .executeTakeFirst();
}

/** Adds the tenant's account at a provider, or replaces its settings; `seal` gets the account's id. Returns that id. */
export async function saveAccount(
  db: Db,
  account: { tenant_id: string; provider: string; mode: 'test' | 'live' },
  seal: (accountId: string) => string,
): Promise<string> {
  const existing = await findAccountOf(db, account.tenant_id, account.mode, account.provider);
  const id = existing?.id ?? newId();
  await db
    .insertInto('provider_accounts')
    .values({ id, ...account, settings_sealed: seal(id) })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({ settings_sealed: seal(id), updated_at: sql`now()` }),
    )
    .execute();
  return id;
}

/** Claims the right to open the challenge's session; undefined if there is a current one already. */
export function insertOpening(
  db: Db,
  challengeId: string,
  accountId: string,
  now: Date,
): Promise<Session | undefined> {
  return db
    .insertInto('verification_sessions')
    .values({
      id: newId(),
      challenge_id: challengeId,
      provider_account_id: accountId,
      status: 'opening',
      created_at: now,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
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

/** Writes down what the provider answered: the session is open and will be asked about at `checkAt`. */
export async function markOpen(
  db: Db,
  id: string,
  session: { provider_session_id: string; url_sealed: string; next_check_at: Date },
): Promise<void> {
  await db
    .updateTable('verification_sessions')
    .set({ ...session, status: 'open' })
    .where('id', '=', id)
    .execute();
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

/** Takes up to `limit` open sessions whose check is due, and sets the next check by `nextCheck(checks so far)`. */
export async function takeSessionsToCheck(
  db: Db,
  now: Date,
  limit: number,
  nextCheck: (checks: number) => Date,
) {
  return db.transaction().execute(async (tx) => {
    const due = await tx
      .selectFrom('verification_sessions')
      .innerJoin('challenges', 'challenges.id', 'verification_sessions.challenge_id')
      .selectAll('verification_sessions')
      .select((eb) =>
        eb
          .and([eb('challenges.completed_at', 'is', null), eb('challenges.expires_at', '>', now)])
          .as('wanted'),
      )
      .where('verification_sessions.status', '=', 'open')
      .where('next_check_at', '<=', now)
      .orderBy('next_check_at')
      .limit(limit)
      .forUpdate(['verification_sessions'])
      .skipLocked()
      .execute();
    for (const { id, checks, wanted } of due) {
      const set = wanted ? { checks: checks + 1, next_check_at: nextCheck(checks) } : { next_check_at: null };
      await tx.updateTable('verification_sessions').set(set).where('id', '=', id).execute();
    }
    return due.filter((session) => session.wanted);
  });
}

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
