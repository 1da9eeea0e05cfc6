import { actDue } from './challenges/act.ts';
import { expireDue } from './challenges/expire.ts';
import { renewProofKeys } from './challenges/proof-keys.ts';
import { forgetIdempotencyKeys } from './challenges/store.ts';
import { failUndeliverable } from './challenges/undeliverable.ts';
import { createEngine } from './deliveries/engine.ts';
import type { createRelay } from './deliveries/relay.ts';
import type { Retention } from './deliveries/retention.ts';
import { every } from './kernel/every.ts';
import { rateLimited } from './kernel/log.ts';
import { createHandler } from './providers/handle.ts';
import { tidySignIns } from './signin/attempts-store.ts';
import { SIGN_IN_MS } from './signin/finish.ts';
import { sweepInbox } from './providers/inbox.ts';
import type { InboxDeps } from './providers/inbox.ts';
import { createReconciler } from './providers/reconcile.ts';
import type { InboxRetention } from './providers/retention.ts';

export type WorkDeps = Parameters<typeof createEngine>[0] &
  InboxDeps & {
    relay: ReturnType<typeof createRelay>;
    retention: Retention;
    inboxRetention: InboxRetention;
    attemptRetentionDays: number;
  };

/** Endpoints that one process sends to at the same time; each takes one job. Late retries get the smaller share. */
const ENDPOINTS_AT_ONCE = 500;
const LATE_ENDPOINTS_AT_ONCE = 100;
/** Fewer than connections in the pool: handlers that wait for a row must leave some to the doors. */
const WEBHOOKS_AT_ONCE = 6;
const SWEEP_MS = 1_000;
const RECONCILE_MS = 2_000;
const TIDY_MS = 3_600_000;
const DAY_MS = 24 * 3_600_000;
const IDEMPOTENCY_KEPT_MS = DAY_MS;

/**
 * Starts queue workers, and the timers that find what no job carries. Timers, not queue jobs: they must outlive a wiped
 * queue. The returned function stops them and waits.
 */
export function startWork(deps: WorkDeps): () => Promise<void> {
  const { jobs, relay, retention, inboxRetention, db, now, log } = deps;
  const engine = createEngine(deps);
  const reconciler = createReconciler(deps);
  jobs.work('callbacks', ENDPOINTS_AT_ONCE, engine.carry);
  jobs.work('retries', LATE_ENDPOINTS_AT_ONCE, engine.carry);
  jobs.work('inbox', WEBHOOKS_AT_ONCE, createHandler(deps));
  const ago = (ms: number) => new Date(now().getTime() - ms);
  const keptMs = deps.attemptRetentionDays * DAY_MS;
  const report = rateLimited((error) => log.warn({ err: error }, 'a sweep failed; it will run again'));
  const sweeps = [
    every(SWEEP_MS, () => expireDue(deps), report),
    every(SWEEP_MS, () => actDue(deps), report),
    every(SWEEP_MS, () => failUndeliverable(deps), report),
    every(SWEEP_MS, () => relay.sweep(), report),
    every(SWEEP_MS, () => sweepInbox(deps), report),
    every(RECONCILE_MS, () => reconciler.look(), report),
    every(TIDY_MS, () => renewProofKeys(deps), report),
    every(TIDY_MS, () => retention.tidy(), report),
    every(TIDY_MS, () => inboxRetention.tidy(), report),
    every(
      TIDY_MS,
      () => tidySignIns(db, now(), { givenUp: ago(SIGN_IN_MS), forgotten: ago(keptMs) }),
      report,
    ),
    every(TIDY_MS, () => forgetIdempotencyKeys(db, ago(IDEMPOTENCY_KEPT_MS)), report),
  ];
  // Side by side: a callback begun while the last sweep ends would come on top.
  return async () => {
    engine.stop();
    retention.stop();
    inboxRetention.stop();
    await Promise.all([...sweeps.map((stop) => stop()), reconciler.stop(), jobs.drain()]);
  };
}
