/** What an attempt came to, as far as the schedule is concerned. */
export type Outcome = {
  statusCode?: number | undefined;
  errorClass?: string | undefined;
  retryAfter?: string | undefined;
};
export type Verdict = { next: 'delivered' } | { next: 'dead' } | { next: 'retry'; waitMs: number };

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** The wait before attempts 2 to 10. */
const WAITS_MS = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];
const JITTER = 0.2;
const MAX_RETRY_AFTER_MS = 6 * HOUR;
/** A receiver that is overwhelmed is not asked again at once. */
const BUSY_WAIT_MS = MINUTE;
/** A refused address does not change within seconds, and no request was made. */
const REFUSED_WAIT_MS = 30 * MINUTE;
const MAX_REFUSED_ATTEMPTS = 3;

/** Judges attempt number `attempt` (from 1): done, given up, or tried again after a wait. `random` is in [0, 1). */
export function judge(attempt: number, outcome: Outcome, now: Date, random: number): Verdict {
  const { statusCode, errorClass } = outcome;
  if (statusCode !== undefined && statusCode >= 200 && statusCode < 300) return { next: 'delivered' };
  // 410 Gone: the receiver says that it will never want this again.
  if (statusCode === 410) return { next: 'dead' };
  if (errorClass === 'ssrf_refused') {
    if (attempt >= MAX_REFUSED_ATTEMPTS) return { next: 'dead' };
    return { next: 'retry', waitMs: jittered(REFUSED_WAIT_MS, random) };
  }
  const wait = WAITS_MS[attempt - 1];
  if (wait === undefined) return { next: 'dead' };
  return { next: 'retry', waitMs: Math.max(jittered(wait, random), atLeast(outcome, now, random)) };
}

function jittered(waitMs: number, random: number): number {
  return Math.round(waitMs * (1 - JITTER + 2 * JITTER * random));
}

/** What the receiver asks for, jittered upward only, so that nobody is asked sooner than they said. */
function atLeast({ statusCode, errorClass, retryAfter }: Outcome, now: Date, random: number): number {
  const busy = statusCode === 429 || errorClass === 'timeout' || errorClass === 'connect_timeout';
  const asked = statusCode === 429 || statusCode === 503 ? readRetryAfter(retryAfter, now) : 0;
  return Math.round(Math.max(busy ? BUSY_WAIT_MS : 0, asked) * (1 + JITTER * random));
}

/** Retry-After (RFC 9110 §10.2.3), seconds or an HTTP date, as milliseconds from `now`; capped; 0 if absent or unreadable. */
function readRetryAfter(header: string | undefined, now: Date): number {
  if (header === undefined) return 0;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * SECOND : Date.parse(header) - now.getTime();
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
