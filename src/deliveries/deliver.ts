import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../db/database.ts';
import type { Sealer } from '../kernel/crypto.ts';
import type { Log } from '../kernel/log.ts';
import { OutboundError } from '../kernel/outbound.ts';
import type { Outbound, Reach } from '../kernel/outbound.ts';
import { callbackSecretContext } from '../tenants/keys.ts';
import { findCallbackSecrets } from '../tenants/secrets-store.ts';
import { signatureHeaders } from './callback.ts';
import type { Relay } from './relay.ts';
import { judge } from './schedule.ts';
import type { Verdict } from './schedule.ts';
import { finishAttempt, takeForAttempt } from './store.ts';
import type { Taken } from './store.ts';

export type DeliverDeps = {
  db: Db;
  outbound: Outbound;
  sealer: Sealer;
  relay: Pick<Relay, 'schedule'>;
  reachOf: (mode: 'test' | 'live') => Reach;
  now: () => Date;
  log: Log;
};

type Attempt = {
  status_code: number | null;
  error_class: string | null;
  error_message: string | null;
  response_excerpt: string | null;
  remote_address: string | null;
  retryAfter?: string | undefined;
};

/** Everything from name resolution to the last byte of the answer (the contract says 10 seconds). */
const TIMEOUT_MS = 10_000;
const READ_BYTES = 65_536;
const EXCERPT_BYTES = 4_096;
/** A result is not given up at the first error of a database that comes back; this is still within the lease. */
const WRITE_MS = 8_000;
const WRITE_AGAIN_MS = 500;

/** Carries one job: takes the delivery if it is still due, sends it, writes the attempt, and plans what follows. */
export async function deliver(deps: DeliverDeps, deliveryId: string): Promise<void> {
  const { db, relay, now, log } = deps;
  const taken = await takeForAttempt(db, deliveryId, now());
  if (!taken) return;

  const started = now();
  const clock = performance.now();
  const { retryAfter, ...attempt } = await send(deps, taken);
  const duration_ms = Math.round(performance.now() - clock);

  const outcome = {
    statusCode: attempt.status_code ?? undefined,
    errorClass: attempt.error_class ?? undefined,
    retryAfter,
  };
  const verdict = judge(taken.attempts, outcome, now(), Math.random());
  const record = { delivery_id: taken.id, attempt: taken.attempts, url: taken.url, started_at: started };
  const next = follow(verdict, now());
  const kept = await insist(() => finishAttempt(db, taken, { ...record, duration_ms, ...attempt }, next));
  logAttempt(log, taken, { ...attempt, duration_ms }, kept ? verdict.next : 'lease_lost');
  if (kept && verdict.next === 'retry') await relay.schedule(taken.id, taken.attempts, verdict.waitMs);
}

async function send({ db, outbound, sealer, reachOf, now }: DeliverDeps, taken: Taken): Promise<Attempt> {
  const nothing = {
    status_code: null,
    error_class: null,
    error_message: null,
    response_excerpt: null,
    remote_address: null,
  };
  try {
    const rows = await findCallbackSecrets(db, taken.integration_id, now());
    const secrets = rows.map((row) => sealer.unseal(row.sealed, callbackSecretContext(row.id)));
    const answer = await outbound.request({
      method: 'POST',
      url: taken.url,
      headers: {
        'content-type': 'application/json',
        ...signatureHeaders(taken.body, taken.event_id, secrets, now()),
      },
      body: taken.body,
      reach: reachOf(taken.mode),
      timeoutMs: TIMEOUT_MS,
      maxBytes: READ_BYTES,
    });
    return {
      ...nothing,
      status_code: answer.status,
      error_class: answer.status < 300 ? null : `http_${Math.floor(answer.status / 100)}xx`,
      response_excerpt: excerpt(answer.body),
      remote_address: answer.remoteAddress ?? null,
      retryAfter: answer.headers['retry-after'],
    };
  } catch (error) {
    // Our own mistakes must not look like the receiver's; they are retried all the same.
    const error_class = error instanceof OutboundError ? error.errorClass : 'internal';
    return { ...nothing, error_class, error_message: (error as Error).message.slice(0, 500) };
  }
}

/** The start of an answer as text that PostgreSQL takes: no NUL, no broken UTF-8, and no longer than it came. */
function excerpt(body: Buffer): string | null {
  const text = decode(body.subarray(0, EXCERPT_BYTES)).replaceAll('\0', '\uFFFD');
  // Again, because one broken byte has become three.
  return decode(Buffer.from(text).subarray(0, EXCERPT_BYTES)) || null;
}

/** As a stream, so that a character cut at the end is left out and not replaced. */
function decode(bytes: Buffer): string {
  return new TextDecoder().decode(bytes, { stream: true });
}

/** Writes again after a failure; writing twice does no harm, because the first success ends the lease. */
async function insist<T>(write: () => Promise<T>): Promise<T> {
  const end = performance.now() + WRITE_MS;
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(WRITE_AGAIN_MS);
    }
  }
}

function follow(verdict: Verdict, now: Date) {
  if (verdict.next === 'retry')
    return { status: 'pending' as const, at: new Date(now.getTime() + verdict.waitMs) };
  return { status: verdict.next, at: now };
}

function logAttempt(
  log: Log,
  taken: Taken,
  attempt: Omit<Attempt, 'retryAfter'> & { duration_ms: number },
  next: string,
): void {
  const line = {
    delivery_id: taken.id,
    event_id: taken.event_id,
    challenge_id: taken.challenge_id,
    attempt: taken.attempts,
    status_code: attempt.status_code,
    error_class: attempt.error_class,
    duration_ms: attempt.duration_ms,
    next,
  };
  if (next === 'delivered') log.info(line, 'callback delivered');
  else log.warn({ ...line, reason: attempt.error_message }, 'callback not delivered');
}
