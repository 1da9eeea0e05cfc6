import { endpointsOf } from '../deliveries/endpoint.ts';
import { getAccountById } from './account.ts';
import { applyReport } from './report.ts';
import type { StartDeps } from './start.ts';
import { lockSession, takeSessionsToCheck } from './sessions-store.ts';

const BATCH = 20;
const MINUTE_MS = 60_000;
/** Minutes between checks of one session, the last one repeating: webhooks are the usual way, this is for lost ones. */
const CHECK_MINUTES = [1, 2, 5, 10, 30, 60];

/** Asks providers about open sessions whose webhook may never come; one that does not answer is asked again later. */
export async function reconcileSessions(deps: StartDeps): Promise<void> {
  const { db, now, log } = deps;
  const nextCheck = (checks: number) => {
    const minutes = CHECK_MINUTES[Math.min(checks, CHECK_MINUTES.length - 1)] ?? 60;
    return new Date(now().getTime() + minutes * MINUTE_MS);
  };
  const due = await takeSessionsToCheck(db, now(), BATCH, nextCheck);
  // Side by side: one provider that hangs must delay neither the others nor the end of the process.
  await Promise.all(
    due.map((session) =>
      checkSession(deps, session).catch((error: unknown) =>
        log.warn({ err: error, challenge_id: session.challenge_id }, 'a session could not be reconciled'),
      ),
    ),
  );
}

async function checkSession(
  deps: StartDeps,
  due: { provider_account_id: string; provider_session_id: string | null },
): Promise<void> {
  const { db, sealer, outbound, reachOf, now, wake } = deps;
  const sessionId = due.provider_session_id;
  if (sessionId === null) return;
  const { account, provider, settings } = await getAccountById({ db, sealer }, due.provider_account_id);
  const report = await provider.fetchReport(sessionId, settings, { outbound, reach: reachOf(account.mode) });
  if (!report) return;
  const applied = await db.transaction().execute(async (tx) => {
    const session = await lockSession(tx, account.id, sessionId);
    return session && applyReport(tx, session, report, account.provider, now());
  });
  if (applied?.ended) wake(endpointsOf([applied.ended]));
}
