/** What an attempt came to, as far as the schedule is concerned. */
export type Outcome = {
  statusCode?: number | undefined;
  errorClass?: string | undefined;
  retryAfter?: string | undefined;
  /** the receiver says that it will never take this */
  permanent?: boolean | undefined;
  /** the receiver was too busy to look at it: the attempt is not spent */
  unspent?: boolean | undefined;
  /** a person waits for it: no answer is no reason to wait longer than the schedule says */
  urgent?: boolean | undefined;
};
/**
 * Which attempt it was (from 1), what the one before came to, for how long faults of ours have kept the delivery back, and
 * the waits before attempts 2, 3, ...
 */
export type Course = {
  attempt: number;
  lastErrorClass: string | null;
  deferredMs: number;
  waitsMs: readonly number[];
};
/** `defer`: as `retry`, but nothing reached the receiver, so the attempt is not spent. */
export type Verdict =
  { next: 'delivered' } | { next: 'dead'; reason: DeadReason } | { next: 'retry' | 'defer'; waitMs: number };
/** Why a delivery was given up. `gone`, `refused` and `rejected` come before the schedule is over; the last three are no attempt's fault. */
export type DeadReason =
  'exhausted' | 'gone' | 'refused' | 'rejected' | 'not_sent' | 'endpoint_disabled' | 'body_deleted';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const JITTER = 0.2;
const MAX_RETRY_AFTER_MS = 6 * HOUR;
/** A receiver that is overwhelmed is not asked again at once. */
const BUSY_WAIT_MS = MINUTE;
/** A refused address does not change within seconds, and no request was made. */
const REFUSED_WAIT_MS = 30 * MINUTE;
const MAX_REFUSED_ATTEMPTS = 3;
/** Our own faults and the proxy's: the receiver was not reached. */
const OURS: ReadonlySet<string | undefined> = new Set(['internal', 'proxy']);
const DEFER_WAIT_MS = MINUTE;
/** For one that is busy and does not say how long. */
const BUSY_PAUSE_MS = 30 * SECOND;

/** Judges an attempt: done, given up, or tried again after a wait. `random` is in [0, 1). */
export function judge(course: Course, outcome: Outcome, now: Date, random: number): Verdict {
  const { attempt, waitsMs } = course;
  const { statusCode, errorClass } = outcome;
  if (isSuccess(outcome)) return { next: 'delivered' };
  // 410 Gone: the receiver says that it will never want this again.
  if (statusCode === 410) return { next: 'dead', reason: 'gone' };
  if (outcome.permanent) return { next: 'dead', reason: 'rejected' };
  if (errorClass === 'ssrf_refused') {
    const again = course.lastErrorClass === 'ssrf_refused';
    if (again && attempt >= MAX_REFUSED_ATTEMPTS) return { next: 'dead', reason: 'refused' };
    return { next: 'retry', waitMs: jittered(REFUSED_WAIT_MS, random) };
  }
  if (OURS.has(errorClass)) return deferred(course, jittered(DEFER_WAIT_MS, random));
  if (outcome.unspent) return deferred(course, pauseOf(outcome, now, random));
  const wait = waitsMs[attempt - 1];
  if (wait === undefined) return { next: 'dead', reason: 'exhausted' };
  return { next: 'retry', waitMs: Math.max(jittered(wait, random), atLeast(outcome, now, random)) };
}

/** Whether the receiver took it, or there was nothing to be taken. What Slack refuses, it refuses with a 200. */
export function isSuccess(outcome: Outcome): boolean {
  const { statusCode = 0, errorClass } = outcome;
  return isUnasked(outcome) || (errorClass === undefined && statusCode >= 200 && statusCode < 300);
}

/** Whether nobody was asked, because there was nothing to be done. */
export function isUnasked({ statusCode, errorClass }: Outcome): boolean {
  return statusCode === undefined && errorClass === undefined;
}

/** How long a 429 or 503 asks not to be called (Retry-After, RFC 9110 §10.2.3: seconds or an HTTP date) in milliseconds; at most 6 h, else 0. */
export function askedPauseMs({ statusCode, retryAfter }: Outcome, now: Date): number {
  if (retryAfter === undefined || (statusCode !== 429 && statusCode !== 503)) return 0;
  const text = retryAfter.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * SECOND : Date.parse(text) - now.getTime();
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** As long as a whole schedule, counted from the first time, and never for ever. */
function deferred({ deferredMs, waitsMs }: Course, waitMs: number): Verdict {
  const whole = waitsMs.reduce((sum, wait) => sum + wait, 0);
  if (deferredMs > Math.max(whole, HOUR)) return { next: 'dead', reason: 'not_sent' };
  return { next: 'defer', waitMs };
}

/** Exactly what a busy receiver asks for, jittered upward only. */
function pauseOf(outcome: Outcome, now: Date, random: number): number {
  const asked = askedPauseMs(outcome, now) || BUSY_PAUSE_MS;
  return Math.round(asked * (1 + JITTER * random));
}

function jittered(waitMs: number, random: number): number {
  return Math.round(waitMs * (1 - JITTER + 2 * JITTER * random));
}

/** What the receiver asks for, jittered upward only, so that nobody is asked sooner than they said. */
function atLeast(outcome: Outcome, now: Date, random: number): number {
  const { statusCode, errorClass } = outcome;
  const silent = errorClass === 'timeout' || errorClass === 'connect_timeout';
  const busy = statusCode === 429 || (silent && !outcome.urgent);
  const asked = askedPauseMs(outcome, now);
  return Math.round(Math.max(busy ? BUSY_WAIT_MS : 0, asked) * (1 + JITTER * random));
}
