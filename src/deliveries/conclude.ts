import { afterAttempt } from './breaker.ts';
import type { Health, Turn } from './breaker.ts';
import { LATE_LANE } from './claim-store.ts';
import type { Claimed } from './claim-store.ts';
import type { Gone, Result } from './finish-store.ts';
import { judge } from './schedule.ts';
import type { DeadReason, Outcome, Verdict } from './schedule.ts';
import type { Attempt } from './send.ts';

/** What an attempt's end means: what to write, the endpoint's health after it, and what operators should hear. */
export type Conclusion = {
  verdict: Verdict;
  result: Result;
  health: Health;
  gone: Gone | undefined;
  turns: Turn[];
  /** the fourth attempt has failed too */
  failing: boolean;
};

const FIRST_ATTEMPTS = 3;
const FAILING_AT = 4;

/** Judges an attempt against the schedule and the breaker. `random` is in [0, 1). */
export function conclude(
  claimed: Claimed,
  attempt: Attempt,
  by: {
    token: string;
    health: Health;
    waitsMs: readonly number[];
    startedAt: Date;
    now: Date;
    random: number;
  },
): Conclusion {
  const { retryAfter, rule: _, permanent, unspent, urgent, ...record } = attempt;
  const outcome: Outcome = {
    statusCode: attempt.status_code ?? undefined,
    errorClass: attempt.error_class ?? undefined,
    ...{ retryAfter, permanent, unspent, urgent },
  };
  const { attempt: number, last_error_class: lastErrorClass, deferred_ms: deferredMs } = claimed;
  const course = { attempt: number, lastErrorClass, deferredMs, waitsMs: by.waitsMs };
  const judged = judge(course, outcome, by.now, by.random);
  // A test is answered by one attempt.
  const isOver = claimed.trigger === 'test' && judged.next !== 'delivered';
  const verdict: Verdict = isOver ? { next: 'dead', reason: 'exhausted' } : judged;
  const { health, turns } = afterAttempt(by.health, outcome, by.now);
  return {
    verdict,
    health,
    turns,
    result: {
      ...resultOf(claimed, by.token, verdict),
      attempt: { attempt: claimed.attempt, url: claimed.url, started_at: by.startedAt, ...record },
    },
    gone: attempt.status_code === 410 ? { endpoint_id: claimed.endpoint_id, url: claimed.url } : undefined,
    failing: verdict.next === 'retry' && claimed.attempt === FAILING_AT,
  };
}

/** A delivery that ends without a request: its attempt is not spent, and its endpoint's health is as it was. */
export function concludeUnsent(claimed: Claimed, reason: DeadReason, token: string): Result {
  const result = resultOf(claimed, token, { next: 'dead', reason });
  return { ...result, attempts: claimed.attempt - 1 };
}

function resultOf(claimed: Claimed, token: string, verdict: Verdict): Result {
  const again = verdict.next === 'retry' || verdict.next === 'defer';
  const attempts = verdict.next === 'defer' ? claimed.attempt - 1 : claimed.attempt;
  return {
    delivery_id: claimed.id,
    token,
    status: verdict.next === 'retry' || verdict.next === 'defer' ? 'pending' : verdict.next,
    dead_reason: verdict.next === 'dead' ? verdict.reason : null,
    wait_ms: again ? verdict.waitMs : null,
    deferred: verdict.next === 'defer',
    lane: attempts >= FIRST_ATTEMPTS ? LATE_LANE : claimed.lane,
    before: claimed.attempt - 1,
    attempts,
    attempt: undefined,
  };
}
