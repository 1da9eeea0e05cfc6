import { setTimeout as sleep } from 'node:timers/promises';
import { endpointsOf } from '../deliveries/endpoint.ts';
import { getAccountById } from './account.ts';
import type { OpenAccount } from './account.ts';
import type { InboxDeps } from './inbox.ts';
import type { Report } from './provider.ts';
import { applyReport } from './report.ts';
import { takeSessionsToCheck } from './sessions-store.ts';
import type { Session } from './sessions-store.ts';
import { takeSession } from './sessions.ts';
import { sealContext } from './store.ts';

/** Questions under way at the same time, in one process; they are not waited for before the next look. */
const AT_ONCE = 200;
const MINUTE_MS = 60_000;
/** Minutes between checks of one session, the last one repeating: webhooks are the usual way, this is for lost ones. */
const CHECK_MINUTES = [1, 1, 2, 2, 3, 5, 10, 30, 60];
/** So long before the deadline it is asked about for the last time: after it nothing counts. */
const LAST_CHECK_MS = 20_000;
/** A provider that does not answer must not keep the server from stopping. */
const STOP_MS = 5_000;

/** Asks providers about open sessions whose webhook may never come; one that does not answer is asked again later. */
export type Reconciler = {
  /** Begins to ask about what is due; what takes long delays neither others nor the next look. */
  look(): Promise<void>;
  /** Begins nothing more, and waits some seconds for what is under way. */
  stop(): Promise<void>;
};

/** One of these per process. */
export function createReconciler(deps: InboxDeps): Reconciler {
  const underWay = new Set<Promise<void>>();
  const searched = new Set<string>();
  let stopped = false;

  const begin = (work: Promise<void>, about: object) => {
    const done = work
      .catch((error: unknown) => deps.log.warn({ err: error, ...about }, 'a session could not be reconciled'))
      .finally(() => underWay.delete(done));
    underWay.add(done);
  };
  /** One search an account at a time: it goes through all that the provider has. */
  const search = (account_id: string, wanted: readonly Session[]) => {
    if (searched.has(account_id)) return;
    searched.add(account_id);
    const done = findNameless(deps, account_id, wanted).finally(() => searched.delete(account_id));
    begin(done, { account_id });
  };

  return {
    async look() {
      const room = AT_ONCE - underWay.size;
      if (stopped || room < 1) return;
      const now = deps.now();
      const due = await takeSessionsToCheck(deps.db, now, room, (checks, expiresAt) =>
        nextCheckAt(now, checks, expiresAt),
      );
      for (const session of due)
        if (session.provider_session_id !== null)
          begin(checkSession(deps, session), { challenge_id: session.challenge_id });
      const nameless = due.filter((session) => session.provider_session_id === null);
      for (const account of new Set(nameless.map((session) => session.provider_account_id)))
        search(
          account,
          nameless.filter((session) => session.provider_account_id === account),
        );
    },
    async stop() {
      stopped = true;
      await Promise.race([Promise.all(underWay), sleep(STOP_MS, undefined, { ref: false })]);
    },
  };
}

/** When a session that was asked about `checks` times before is asked about after now; null: not any more before its end. */
export function nextCheckAt(now: Date, checks: number, expiresAt: Date): Date | null {
  const minutes = CHECK_MINUTES[Math.min(checks, CHECK_MINUTES.length - 1)] ?? 60;
  const last = expiresAt.getTime() - LAST_CHECK_MS;
  const next = Math.min(now.getTime() + minutes * MINUTE_MS, last);
  return next > now.getTime() ? new Date(next) : null;
}

async function checkSession(deps: InboxDeps, due: Session): Promise<void> {
  const { db, sealer, outbound, reachOf } = deps;
  const sessionId = due.provider_session_id;
  if (sessionId === null) return;
  const opened = await getAccountById({ db, sealer }, due.provider_account_id);
  const { account, provider, settings } = opened;
  const token =
    due.token_sealed === null ? undefined : sealer.unseal(due.token_sealed, sealContext.token(due.id));
  const http = { outbound, reach: reachOf(account.mode) };
  const report = await provider.fetchReport({ sessionId, token }, settings, http);
  if (report) await apply(deps, opened, sessionId, report);
}

/** Sessions that get their name only when the person comes are looked for among all that the provider has. */
async function findNameless(deps: InboxDeps, accountId: string, wanted: readonly Session[]): Promise<void> {
  const { db, sealer, outbound, reachOf } = deps;
  const opened = await getAccountById({ db, sealer }, accountId);
  const { account, provider, settings } = opened;
  const challengeIds = new Set(wanted.map(({ challenge_id }) => challenge_id));
  const since = new Date(Math.min(...wanted.map(({ created_at }) => created_at.getTime())));
  const http = { outbound, reach: reachOf(account.mode) };
  const found = (await provider.findSessions?.(challengeIds, since, settings, http)) ?? [];
  for (const { sessionId, report } of found) await apply(deps, opened, sessionId, report);
}

async function apply(
  { db, now, wake }: InboxDeps,
  opened: OpenAccount,
  sessionId: string,
  report: Report,
): Promise<void> {
  const applied = await db.transaction().execute(async (tx) => {
    const session = await takeSession(tx, opened, sessionId, report);
    return session && applyReport(tx, session, report, { provider: opened.account.provider, now: now() });
  });
  if (applied?.ended) wake(endpointsOf([applied.ended]));
}
