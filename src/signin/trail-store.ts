import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { IdentityProviders, SignInAttempts } from '../generated/database.ts';

/** One way to the IdP and back, as operators see it. */
export type SignInTrace = Pick<
  Selectable<SignInAttempts>,
  'id' | 'status' | 'browser' | 'address' | 'clicked_at' | 'answered_at' | 'outcome' | 'ended_at'
> &
  Pick<Selectable<IdentityProviders>, 'kind' | 'name'>;

/** Every way to the IdP that was begun for a challenge, oldest first. */
export function listSignIns(db: Db, challengeId: string): Promise<SignInTrace[]> {
  return db
    .selectFrom('sign_in_attempts')
    .innerJoin('identity_providers', 'identity_providers.id', 'identity_provider_id')
    .select(['sign_in_attempts.id', 'status', 'browser', 'address', 'clicked_at', 'answered_at'])
    .select(['outcome', 'ended_at', 'kind', 'name'])
    .where('challenge_id', '=', challengeId)
    .orderBy('clicked_at')
    .orderBy('sign_in_attempts.id')
    .execute();
}
