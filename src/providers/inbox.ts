import type { Kysely } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Challenge, Mode } from '../challenges/challenge.ts';
import type { Wake } from '../challenges/settle.ts';
import type { DB } from '../generated/database.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { isUuid } from '../kernel/id.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Outbound, Reach } from '../kernel/outbound.ts';
import type { Jobs } from '../queue.ts';
import { getAccountById } from './account.ts';
import type { OpenAccount } from './account.ts';
import type { Report } from './provider.ts';
import { applyReport, auditOtherSession } from './report.ts';
import type { Outcome } from './report.ts';
import type { InboxRow } from './inbox-store.ts';
import { isErased, lockWebhook, markHandled, parkWebhook, takeUnhandled } from './inbox-store.ts';
import { findSessionIdOfAttempt, findSessionOf } from './sessions-store.ts';
import { takeSession } from './sessions.ts';
import type { Session } from './sessions-store.ts';
import { sealContext } from './store.ts';

export type InboxDeps = {
  db: Kysely<DB>;
  sealer: Sealer;
  jobs: Jobs;
  now: () => Date;
  log: Log;
  /** tells the relay that an event may have been committed */
  wake: Wake;
  /** the way out, for webhooks that are only a hint */
  outbound: Outbound;
  reachOf: (mode: Mode) => Reach;
  metrics: Pick<Metrics, 'inboundTotal' | 'inboundHandledTotal'>;
};

/** What came of a kept webhook, and the challenge if it was ended by it. */
export type Handled = {
  outcome: Outcome | 'no_effect' | 'unknown_session' | 'unconfirmed' | 'parked';
  ended?: Challenge | undefined;
};
/** What the provider said when it was asked about a webhook that is only a hint. */
export type Told = { report: Report | undefined } | 'unavailable';
/** The question that a webhook raises. */
export type Question = { ask: OpenAccount; sessionId: string };

const BATCH = 100;
/** How long a job is trusted with a webhook before the sweep hands it over again. */
export const HANDED_MS = 15_000;
/** A webhook may come before its session is written down; it waits, and after the last wait it is set aside. */
export const PARK_WAITS_MS = [
  1_000,
  5_000,
  30_000,
  120_000,
  600_000,
  3_600_000,
  6 * 3_600_000,
  24 * 3_600_000,
];
/** Hands over webhooks that no job carries: parked ones whose time has come, and what a crash left behind. */
export async function sweepInbox(deps: InboxDeps): Promise<void> {
  const now = deps.now();
  await handOver(deps, await takeUnhandled(deps.db, now, new Date(now.getTime() + HANDED_MS), BATCH));
}

/** Gives webhooks to the queue. Never rejects. */
export async function handOver(
  { jobs, log }: Pick<InboxDeps, 'jobs' | 'log'>,
  rows: { id: string; tries: number }[],
): Promise<void> {
  try {
    await jobs.add(
      'inbox',
      rows.map(({ id, tries }) => ({ key: `i_${id}_${tries}`, rowId: id })),
    );
  } catch (error) {
    // Kept is kept: the sweep will hand it over, so the provider need not send it again.
    log.warn({ err: error }, 'webhooks could not be handed over; the sweep will try again');
  }
}

/** One transaction on a webhook: undefined if it is handled already; a question if the provider must be asked first. */
export function handleOnce(
  deps: InboxDeps,
  inboxId: string,
  told?: Told,
): Promise<Handled | Question | undefined> {
  const { db, sealer } = deps;
  return db.transaction().execute(async (tx) => {
    const row = await lockWebhook(tx, inboxId);
    if (!row) return undefined;
    const opened = await getAccountById({ db: tx, sealer }, row.provider_account_id);
    const text = sealer.unseal(row.body_sealed, sealContext.body(row.id));
    const webhook = opened.provider.readWebhook(text);
    if (webhook.ask && webhook.sessionId !== undefined && told === undefined)
      return { ask: opened, sessionId: webhook.sessionId };
    if (told === 'unavailable') return park(tx, deps, row, 'unconfirmed');
    const report = told ? told.report : webhook.report;
    if (report) return apply(tx, deps, opened, row, report);
    // The provider may know of it a little later.
    return told ? park(tx, deps, row, 'unknown_session') : finish(tx, deps, row, { outcome: 'no_effect' });
  });
}

async function apply(
  tx: Db,
  deps: InboxDeps,
  opened: OpenAccount,
  kept: InboxRow,
  report: Report,
): Promise<Handled> {
  const { account } = opened;
  const row = { ...kept, echoed_challenge_id: echoOf(report) ?? kept.echoed_challenge_id };
  const session = await findSession(tx, opened, row, report);
  const source = { provider: account.provider, now: deps.now(), heardAt: row.received_at };
  if (session) {
    const applied = await applyReport(tx, session, report, source);
    const about = {
      provider_session_id: session.provider_session_id,
      echoed_challenge_id: session.challenge_id,
    };
    return finish(tx, deps, { ...row, ...about }, applied);
  }
  const known = opened.provider.findSessions ? echoOf(report) : null;
  const runId = report.runId ?? undefined;
  const other =
    known === null ? undefined : await findSessionOf(tx, account.id, { challengeId: known, runId });
  // A second person, or run, for a challenge whose session is known: written down, and nothing else.
  if (!other?.provider_session_id) return park(tx, deps, row, 'unknown_session');
  await auditOtherSession(tx, other, report, source);
  return finish(tx, deps, row, { outcome: 'other_challenge' });
}

function echoOf({ challengeId }: Report): string | null {
  return challengeId !== null && isUuid(challengeId) ? challengeId : null;
}

/** By its own name, or by an attempt that was seen in it before. */
async function findSession(
  tx: Db,
  opened: OpenAccount,
  row: InboxRow,
  report: Report,
): Promise<Session | undefined> {
  const { provider_session_id: named, provider_attempt_id: attemptId } = row;
  const sessionId = named ?? (attemptId && (await findSessionIdOfAttempt(tx, opened.account.id, attemptId)));
  return sessionId ? takeSession(tx, opened, sessionId, report) : undefined;
}

/** Tries again later; after the last wait, or when its challenge is erased, it is set aside. */
async function park(
  tx: Db,
  deps: InboxDeps,
  row: InboxRow,
  otherwise: 'unknown_session' | 'unconfirmed',
): Promise<Handled> {
  const { echoed_challenge_id: challengeId, provider_account_id: accountId } = row;
  const wait = PARK_WAITS_MS[row.tries];
  const findable = row.provider_session_id !== null || row.provider_attempt_id !== null;
  const pointless = challengeId !== null && (await isErased(tx, accountId, challengeId));
  if (wait === undefined || !findable || pointless) return finish(tx, deps, row, { outcome: otherwise });
  const nextTryAt = new Date(deps.now().getTime() + wait);
  await parkWebhook(tx, row.id, { tries: row.tries + 1, nextTryAt, challengeId });
  return { outcome: 'parked' };
}

async function finish(
  tx: Db,
  { now }: Pick<InboxDeps, 'now'>,
  row: InboxRow,
  handled: Handled,
): Promise<Handled> {
  const { provider_session_id: sessionId, echoed_challenge_id: challengeId } = row;
  await markHandled(tx, row.id, { outcome: handled.outcome, sessionId, challengeId }, now());
  return handled;
}
