import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { ProviderAccounts, VerificationSessions } from '../generated/database.ts';

/** A run at a provider with the name of the provider; nothing of it is secret. */
export type Run = Pick<
  Selectable<VerificationSessions>,
  | 'provider_account_id'
  | 'provider_session_id'
  | 'status'
  | 'last_decision'
  | 'last_decided_at'
  | 'created_at'
  | 'next_check_at'
> &
  Pick<Selectable<ProviderAccounts>, 'provider'>;

/** All runs that were begun for a challenge, oldest first. */
export function listRuns(db: Db, challengeId: string): Promise<Run[]> {
  return db
    .selectFrom('verification_sessions as sessions')
    .innerJoin('provider_accounts as accounts', 'accounts.id', 'sessions.provider_account_id')
    .select(['provider', 'provider_account_id', 'provider_session_id', 'status'])
    .select(['last_decision', 'last_decided_at', 'sessions.created_at', 'next_check_at'])
    .where('challenge_id', '=', challengeId)
    .orderBy('sessions.created_at')
    .orderBy('sessions.id')
    .execute();
}
