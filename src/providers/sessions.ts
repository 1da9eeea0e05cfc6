import type { Db } from '../db/database.ts';
import { isUuid } from '../kernel/id.ts';
import type { OpenAccount } from './account.ts';
import type { Report } from './provider.ts';
import { bindSession, lockSession } from './sessions-store.ts';
import type { Session } from './sessions-store.ts';

/**
 * Locks the session that a report is about: the one of this name or, where the provider names sessions only when the
 * person is there, the open one of the challenge it echoes, which now gets the name. Undefined: there is none.
 */
export async function takeSession(
  tx: Db,
  { account, provider }: OpenAccount,
  sessionId: string,
  { challengeId, runId }: Report,
): Promise<Session | undefined> {
  const session = await lockSession(tx, account.id, sessionId);
  if (session || !provider.findSessions || challengeId === null || !isUuid(challengeId)) return session;
  const bound = await bindSession(tx, account.id, { challengeId, runId: runId ?? undefined }, sessionId);
  // Another report of the same session may have given it its name while this one waited for the row.
  return bound ?? lockSession(tx, account.id, sessionId);
}
