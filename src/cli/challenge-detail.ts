import type { Challenge } from '../challenges/challenge.ts';
import { isoTime, presentChallenge } from '../challenges/present.ts';
import type { TrailEntry } from '../challenges/trail-store.ts';
import type { Run } from '../providers/runs-store.ts';
import type { SignInTrace } from '../signin/trail-store.ts';

/** All that an operator is told of a challenge. */
export type ChallengeDetail = ReturnType<typeof presentAll>;

/** What a read of the challenge says, and what only operators see: its runs, its sign-ins and its audit trail, oldest first. */
export function presentAll(
  challenge: Challenge,
  {
    runs,
    signIns,
    trail,
  }: { runs: readonly Run[]; signIns: readonly SignInTrace[]; trail: readonly TrailEntry[] },
  now: Date,
) {
  return {
    ...presentChallenge(challenge, now),
    integration_id: challenge.integration_id,
    started_at: isoTime(challenge.started_at),
    provider_attempts: challenge.provider_attempts,
    runs: runs.map(presentRun),
    sign_ins: signIns.map(presentSignIn),
    audit_trail: trail.map(({ at, actor, action, detail }) => ({
      ...{ at: isoTime(at), actor, action },
      detail: withTime(detail),
    })),
  };
}

function presentRun(run: Run, before: number) {
  return {
    number: before + 1,
    provider: run.provider,
    account_id: run.provider_account_id,
    session_id: run.provider_session_id,
    state: run.status,
    word: run.last_decision,
    began_at: isoTime(run.created_at),
    decided_at: run.last_decided_at === null ? null : timeOfOrder(run.last_decided_at),
    next_check_at: isoTime(run.next_check_at),
  };
}

function presentSignIn(attempt: SignInTrace, before: number) {
  const { kind, name, status: state, outcome, address } = attempt;
  const browser = attempt.browser === '' ? null : attempt.browser;
  return {
    ...{ number: before + 1, kind, name, state, outcome, browser, address },
    began_at: isoTime(attempt.clicked_at),
    answered_at: isoTime(attempt.answered_at),
    ended_at: isoTime(attempt.ended_at),
  };
}

/** `decided_at` is kept as what puts decisions in order; it is read as a time. */
function withTime(detail: TrailEntry['detail']): object | null {
  if (typeof detail !== 'object' || detail === null || Array.isArray(detail)) return null;
  const { decided_at } = detail;
  return typeof decided_at === 'string' ? { ...detail, decided_at: timeOfOrder(decided_at) } : detail;
}

/** Seconds since 1970 with their fraction, to a time; anything else as it is. */
function timeOfOrder(order: string): string {
  return /^\d+\.\d+$/.test(order) ? isoTime(new Date(Math.floor(Number(order)) * 1_000)) : order;
}
