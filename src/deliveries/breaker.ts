import type { Selectable } from 'kysely';
import type { Endpoints } from '../generated/database.ts';
import { askedPauseMs, isSuccess, isUnasked } from './schedule.ts';
import type { Outcome } from './schedule.ts';

/** What is known of an endpoint's health (delivery.md §6); written by the one run that sends to it. */
export type Health = Pick<
  Selectable<Endpoints>,
  | 'window_started_at'
  | 'window_attempts'
  | 'window_failures'
  | 'consecutive_failures'
  | 'consecutive_unreachable'
  | 'failing_since'
  | 'last_success_at'
  | 'open_until'
  | 'opened_times'
  | 'probe_successes'
  | 'paused_until'
  | 'announced_percent'
  | 'disabled_at'
  | 'disabled_reason'
>;
export type State = 'healthy' | 'failing' | 'open' | 'half_open' | 'paused' | 'disabled';
/** What an attempt changed, for operators. */
export type Turn =
  | { turn: 'opened' | 'half_open' | 'closed' | 'recovered' | 'disabled' }
  | { turn: 'failing'; percent: number };

const MINUTE = 60_000;
const WINDOW_MS = 5 * MINUTE;
const WINDOW_MIN_ATTEMPTS = 10;
const WINDOW_FAILURE_RATE = 0.7;
const MAX_UNREACHABLE = 5;
const OPEN_MS = 30_000;
const MAX_OPEN_MS = 15 * MINUTE;
const PROBES_TO_CLOSE = 2;
const MAX_PAUSE_MS = 15 * MINUTE;
/** Nothing has succeeded for so long, in so many attempts: disabled. */
const DISABLE_AFTER_MS = 5 * 24 * 60 * MINUTE;
const DISABLE_MIN_FAILURES = 10;
const ANNOUNCED_PERCENTS = [90, 70, 50];

const UNREACHABLE: ReadonlySet<string | undefined> = new Set([
  ...['dns', 'connect_refused', 'connect_timeout', 'tls', 'timeout'],
]);
/** Nothing reached the receiver, or it said clearly that it does not want this one: no sign of its health. */
const NO_SIGN: ReadonlySet<string | undefined> = new Set(['internal', 'proxy', 'ssrf_refused']);

/** The health of an endpoint that was just leased: what kept others from it is over by the database's clock, whatever ours says. */
export function healthOf(row: Health, now: Date): Health {
  const { window_started_at, window_attempts, window_failures, consecutive_failures } = row;
  const { consecutive_unreachable, failing_since, last_success_at, opened_times } = row;
  const { probe_successes, announced_percent, disabled_at, disabled_reason } = row;
  const open_until = row.open_until && row.open_until > now ? now : row.open_until;
  return {
    ...{ window_started_at, window_attempts, window_failures, consecutive_failures },
    ...{ consecutive_unreachable, failing_since, last_success_at, open_until, opened_times },
    ...{ probe_successes, paused_until: null, announced_percent, disabled_at, disabled_reason },
  };
}

/** What an endpoint's health means at `now`. */
export function stateOf(health: Health, now: Date): State {
  if (health.disabled_at) return 'disabled';
  if (health.open_until) return health.open_until > now ? 'open' : 'half_open';
  if (health.paused_until && health.paused_until > now) return 'paused';
  return health.failing_since ? 'failing' : 'healthy';
}

/** The endpoint's health after one attempt, and what turned by it. */
export function afterAttempt(health: Health, outcome: Outcome, now: Date): { health: Health; turns: Turn[] } {
  if (NO_SIGN.has(outcome.errorClass) || outcome.statusCode === 410) return { health, turns: [] };
  if (outcome.permanent || isUnasked(outcome)) return { health, turns: [] };
  // Whoever asks to be left alone for a moment is well.
  if (outcome.unspent)
    return { health: { ...health, paused_until: pausedUntil(health, outcome, now) }, turns: [] };
  const counted = count(health, isSuccess(outcome), now);
  return isSuccess(outcome) ? afterSuccess(counted, now) : afterFailure(counted, outcome, now);
}

/** The endpoint's health once somebody has enabled it: as if nothing had ever happened. */
export function enabled(health: Health): Health {
  return {
    ...health,
    ...{ window_started_at: null, window_attempts: 0, window_failures: 0 },
    ...{ consecutive_failures: 0, consecutive_unreachable: 0, failing_since: null },
    ...{ open_until: null, opened_times: 0, probe_successes: 0, paused_until: null, announced_percent: 0 },
    ...{ disabled_at: null, disabled_reason: null },
  };
}

function count(health: Health, success: boolean, now: Date): Health {
  const started = health.window_started_at;
  const fresh = !started || now.getTime() - started.getTime() > WINDOW_MS;
  return {
    ...health,
    window_started_at: fresh ? now : started,
    window_attempts: (fresh ? 0 : health.window_attempts) + 1,
    window_failures: (fresh ? 0 : health.window_failures) + Number(!success),
  };
}

function afterSuccess(health: Health, now: Date): { health: Health; turns: Turn[] } {
  const well = {
    ...health,
    ...{ consecutive_failures: 0, consecutive_unreachable: 0, failing_since: null, last_success_at: now },
  };
  const announced = health.announced_percent > 0;
  // What was under way when it opened says nothing about now.
  if (health.open_until && health.open_until > now) return { health: well, turns: [] };
  if (health.open_until && health.probe_successes + 1 < PROBES_TO_CLOSE) {
    return {
      health: { ...well, probe_successes: health.probe_successes + 1 },
      turns: [{ turn: 'half_open' }],
    };
  }
  if (!health.open_until && !announced) return { health: well, turns: [] };
  return {
    health: { ...enabled(well), last_success_at: now },
    turns: [...(health.open_until ? [{ turn: 'closed' } as const] : []), { turn: 'recovered' }],
  };
}

function afterFailure(health: Health, outcome: Outcome, now: Date): { health: Health; turns: Turn[] } {
  const failing = {
    ...health,
    consecutive_failures: health.consecutive_failures + 1,
    consecutive_unreachable: UNREACHABLE.has(outcome.errorClass) ? health.consecutive_unreachable + 1 : 0,
    failing_since: health.failing_since ?? now,
    paused_until: pausedUntil(health, outcome, now),
  };
  const opened = open(failing, now);
  const worn = wearOut(opened.health, now);
  return { health: worn.health, turns: [...opened.turns, ...worn.turns] };
}

function open(health: Health, now: Date): { health: Health; turns: Turn[] } {
  const isOpen = health.open_until !== null && health.open_until > now;
  const isHalfOpen = health.open_until !== null && !isOpen;
  const tooMany =
    health.consecutive_unreachable >= MAX_UNREACHABLE ||
    (health.window_attempts >= WINDOW_MIN_ATTEMPTS &&
      health.window_failures >= WINDOW_FAILURE_RATE * health.window_attempts);
  if (isOpen || !(isHalfOpen || tooMany)) return { health, turns: [] };
  const openMs = Math.min(OPEN_MS * 2 ** Math.min(health.opened_times, 10), MAX_OPEN_MS);
  return {
    health: {
      ...health,
      open_until: new Date(now.getTime() + openMs),
      opened_times: health.opened_times + 1,
      probe_successes: 0,
    },
    turns: [{ turn: 'opened' }],
  };
}

/** On the way to being disabled: announced at 50, 70 and 90 percent of the time, and done at 100. */
function wearOut(health: Health, now: Date): { health: Health; turns: Turn[] } {
  const share = (100 * (now.getTime() - (health.failing_since ?? now).getTime())) / DISABLE_AFTER_MS;
  if (share >= 100 && health.consecutive_failures >= DISABLE_MIN_FAILURES) {
    const disabled = { disabled_at: now, disabled_reason: 'failing', announced_percent: 100 } as const;
    return { health: { ...health, ...disabled }, turns: [{ turn: 'disabled' }] };
  }
  const percent = ANNOUNCED_PERCENTS.find((threshold) => share >= threshold) ?? 0;
  if (percent <= health.announced_percent) return { health, turns: [] };
  return { health: { ...health, announced_percent: percent }, turns: [{ turn: 'failing', percent }] };
}

function pausedUntil({ paused_until }: Health, outcome: Outcome, now: Date): Date | null {
  const pauseMs = Math.min(askedPauseMs(outcome, now), MAX_PAUSE_MS);
  return later(paused_until, pauseMs > 0 ? new Date(now.getTime() + pauseMs) : null);
}

function later(a: Date | null, b: Date | null): Date | null {
  return a && b ? (a > b ? a : b) : (a ?? b);
}
