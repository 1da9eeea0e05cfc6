import type { Kysely } from 'kysely';
import type { DB } from '../../src/generated/database.ts';
import type { Sealer } from '../../src/kernel/crypto.ts';
import { newId } from '../../src/kernel/id.ts';
import type { Settings } from '../../src/providers/provider.ts';
import { saveAccount, sealContext } from '../../src/providers/store.ts';
import type { Owner } from '../../test/support/backlog.ts';

/** Rows of one statement: PostgreSQL takes 65,535 values. */
const BATCH = 500;
const HOUR_MS = 3_600_000;

/** An open run at a provider; `sessionId` is null where the provider has not named it yet. */
export type OpenSession = { challengeId: string; sessionId: string | null };
export type Place = { db: Kysely<DB>; sealer: Sealer; owner: Owner };

/** Sets up the owner's account at a provider; returns its id. */
export function openAccount(
  { db, sealer, owner }: Place,
  provider: string,
  settings: Settings,
): Promise<string> {
  return saveAccount(db, { tenant_id: owner.tenantId, mode: 'test', provider }, (id) =>
    sealer.seal(JSON.stringify(settings), sealContext.settings(id)),
  );
}

/**
 * Inserts challenges whose person is at the provider just now, past all that would create them one by one. They have
 * no callback URL, so that nothing is delivered beside what is measured.
 */
export async function insertSessions(
  { db, owner }: Place,
  provider: string,
  accountId: string,
  sessions: readonly OpenSession[],
): Promise<void> {
  const [created_at, expires_at] = [new Date(), new Date(Date.now() + HOUR_MS)];
  for (let from = 0; from < sessions.length; from += BATCH) {
    const some = sessions.slice(from, from + BATCH);
    const challenges = some.map(({ challengeId }) => ({
      id: challengeId,
      tenant_id: owner.tenantId,
      integration_id: owner.integrationId,
      mode: 'test' as const,
      status: 'in-progress' as const,
      provider,
      target_user_email: 'ada@example.com',
      requester_id: 'webhook',
      metadata: {},
      verification_code: '00',
      verification_token_hash: challengeId,
      created_at,
      started_at: created_at,
      expires_at,
    }));
    await db.insertInto('challenges').values(challenges).execute();
    const runs = some.map(({ challengeId, sessionId }) => ({
      id: newId(),
      challenge_id: challengeId,
      provider_account_id: accountId,
      status: 'open' as const,
      provider_session_id: sessionId,
      created_at,
    }));
    await db.insertInto('verification_sessions').values(runs).execute();
  }
}
