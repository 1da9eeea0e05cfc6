import type { Kysely } from 'kysely';
import type { Challenge } from '../challenges/challenge.ts';
import type { Wake } from '../challenges/settle.ts';
import { endpointsOf } from '../deliveries/endpoint.ts';
import type { DB } from '../generated/database.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { newId } from '../kernel/id.ts';
import type { Log } from '../kernel/log.ts';
import type { Jobs } from '../queue.ts';
import { getAccountAt, getAccountById } from './account.ts';
import type { OpenAccount } from './account.ts';
import type { RawRequest } from './provider.ts';
import { applyReport } from './report.ts';
import type { Outcome } from './report.ts';
import type { InboxRow } from './inbox-store.ts';
import { keepWebhook, lockWebhook, markHandled, parkWebhook, takeUnhandled } from './inbox-store.ts';
import { lockSession } from './sessions-store.ts';
import { sealContext } from './store.ts';

export type InboxDeps = {
  db: Kysely<DB>;
  sealer: Sealer;
  jobs: Jobs;
  now: () => Date;
  log: Log;
  /** tells the relay that an event may have been committed */
  wake: Wake;
};

/** What came of a kept webhook, and the challenge if it was ended by it. */
type Handled = { outcome: Outcome | 'no_effect' | 'unknown_session' | 'parked'; ended?: Challenge };

const BATCH = 100;
/** How long a job is trusted with a webhook before the sweep hands it over again. */
const HANDED_MS = 15_000;
/** A webhook may come before its session is written down; it waits, and after the last wait it is set aside. */
const PARK_WAITS_MS = [1_000, 5_000, 30_000, 120_000, 600_000, 3_600_000, 6 * 3_600_000, 24 * 3_600_000];

/** Authenticates a webhook and keeps it once; when this returns it may be acknowledged. Throws unauthorized, not_found. */
export async function receiveWebhook(
  deps: InboxDeps,
  providerName: string,
  accountId: string,
  request: RawRequest,
): Promise<void> {
  const { db, sealer, now, log } = deps;
  const opened = await getAccountAt(deps, providerName, accountId);
  const text = openOrRefuse(log, opened, request);
  const { account, provider } = opened;
  const { kind, eventKey, sessionId } = provider.readWebhook(text);
  const id = newId();
  const kept = await keepWebhook(db, {
    id,
    provider_account_id: account.id,
    event_key: eventKey,
    kind,
    provider_session_id: sessionId ?? null,
    body_sealed: sealer.seal(text, sealContext.body(id)),
    received_at: now(),
    next_try_at: new Date(now().getTime() + HANDED_MS),
  });
  log.info(
    { provider: providerName, account_id: account.id, kind, inbox_id: kept ? id : null, duplicate: !kept },
    'webhook received',
  );
  // Not awaited: a queue that hangs must not keep the provider from its answer, for which it waits a few seconds only.
  if (kept) void handOver(deps, [{ id, tries: 0 }]);
}

/** Reads a kept webhook and applies it, once: effect and mark are one transaction. */
export async function handleWebhook(deps: InboxDeps, inboxId: string): Promise<void> {
  const { db, sealer, now, log, wake } = deps;
  const handled = await db.transaction().execute(async (tx): Promise<Handled | undefined> => {
    const row = await lockWebhook(tx, inboxId);
    if (!row) return undefined;
    const { account, provider } = await getAccountById({ db: tx, sealer }, row.provider_account_id);
    const { report } = provider.readWebhook(sealer.unseal(row.body_sealed, sealContext.body(row.id)));
    const session =
      row.provider_session_id && report
        ? await lockSession(tx, account.id, row.provider_session_id)
        : undefined;
    if (!report) return finish(tx, row, { outcome: 'no_effect' }, now());
    if (session)
      return finish(tx, row, await applyReport(tx, session, report, account.provider, now()), now());
    const wait = PARK_WAITS_MS[row.tries];
    if (!row.provider_session_id || wait === undefined)
      return finish(tx, row, { outcome: 'unknown_session' }, now());
    await parkWebhook(tx, row.id, row.tries + 1, new Date(now().getTime() + wait));
    return { outcome: 'parked' };
  });
  if (handled) log.info({ inbox_id: inboxId, outcome: handled.outcome }, 'webhook handled');
  if (handled?.ended) wake(endpointsOf([handled.ended]));
}

/** Hands over webhooks that no job carries: parked ones whose time has come, and what a crash left behind. */
export async function sweepInbox(deps: InboxDeps): Promise<void> {
  const now = deps.now();
  await handOver(deps, await takeUnhandled(deps.db, now, new Date(now.getTime() + HANDED_MS), BATCH));
}

async function finish(
  tx: Parameters<typeof markHandled>[0],
  row: InboxRow,
  handled: Handled,
  now: Date,
): Promise<Handled> {
  await markHandled(tx, row.id, handled.outcome, now);
  return handled;
}

function openOrRefuse(log: Log, { account, provider, settings }: OpenAccount, request: RawRequest): string {
  try {
    return provider.openWebhook(request, settings);
  } catch (error) {
    log.warn(
      { provider: account.provider, account_id: account.id, bytes: request.body.length },
      'webhook refused',
    );
    throw error;
  }
}

/** Never rejects. */
async function handOver({ jobs, log }: InboxDeps, rows: { id: string; tries: number }[]): Promise<void> {
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
