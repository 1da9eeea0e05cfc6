import type { Simulator } from './simulator.ts';
import { decisionBody, eventBody, newAttempt } from './veriff-bodies.ts';
import type { Decision, Event, Json, VeriffSession } from './veriff-bodies.ts';
import * as findings from './veriff-findings.ts';

/** One thing that happens in a run: the session changes, and Veriff tells of it with this body. */
type Step = (session: VeriffSession) => Json;
type Becomes = Simulator['outcomes'][string];

const event =
  (action: Event): Step =>
  (session) => {
    if (action !== 'waiting_complete') mark(session, action);
    return eventBody(session, action);
  };
const decision =
  (word: Decision, fields: Json = {}): Step =>
  (session) =>
    decide(session, word, fields);
const fullAuto =
  (word: 'approved' | 'declined'): Step =>
  (session) => {
    mark(session, word);
    return findings.fullAutoBody(session, word);
  };
const watchlist =
  (checkType: string): Step =>
  (session) =>
    (session.watchlist = findings.watchlistBody(session, checkType));
/** The older form names the attempt only. */
const olderWatchlist: Step = (session) => {
  const { sessionId: _, ...older } = watchlist('initial_result')(session);
  return older;
};
const userStatus: Step = (session) => {
  const body = findings.userStatusBody(session);
  const { userDefinedData } = (body.data as { verification: { userDefinedData: Json } }).verification;
  session.attempts[0]?.userDefinedData.unshift(userDefinedData);
  return body;
};

const RISKS = {
  riskLabels: [
    { label: 'document_integration_level_crosslinked_with_fraud', category: 'document', sessionIds: [] },
    { label: 'device_suspicious', category: 'device', sessionIds: [] },
  ],
};
const handsIn = [event('started'), event('submitted')];
const approves = [...handsIn, decision('approved')];

/** Each way a run can go: what becomes of the challenge, and what Veriff tells on the way. */
const RUNS = {
  approved: ['verified', approves],
  declined: ['failed', [...handsIn, decision('declined')]],
  declined_with_risk_labels: ['failed', [...handsIn, decision('declined', RISKS)]],
  resubmission_then_approved: ['verified', [...handsIn, decision('resubmission_requested'), ...approves]],
  review_then_approved: ['verified', [...handsIn, decision('review'), decision('approved')]],
  review_then_declined: ['failed', [...handsIn, decision('review'), decision('declined')]],
  expired: ['expired', [decision('expired')]],
  abandoned: ['expired', [event('started'), decision('abandoned')]],
  full_auto_approved: ['verified', [...handsIn, fullAuto('approved')]],
  full_auto_declined: ['failed', [...handsIn, fullAuto('declined')]],
  watchlist_hit: ['verified', [...handsIn, watchlist('initial_result'), decision('approved')]],
  watchlist_hit_later: ['verified', [...approves, watchlist('updated_result')]],
  watchlist_hit_in_older_form: ['verified', [...approves, olderWatchlist]],
  registries: [
    'verified',
    [...handsIn, findings.ineBody, findings.curpBody, findings.ineAndCurpBody, decision('approved')],
  ],
  labelled_by_hand: ['verified', [...approves, userStatus]],
  flow_events: ['verified', [event('started'), event('waiting_complete'), ...approves.slice(1)]],
  unknown_type: ['verified', [findings.laterTypeBody, ...approves]],
  started: ['in-progress', [event('started')]],
  submitted: ['in-progress', handsIn],
  review: ['in-progress', [...handsIn, decision('review')]],
  resubmission_requested: ['in-progress', [...handsIn, decision('resubmission_requested')]],
} satisfies { [outcome: string]: [Becomes, Step[]] };

export type Outcome = keyof typeof RUNS;

/** What becomes of the challenge, by outcome. */
export const OUTCOMES = Object.fromEntries(
  Object.entries(RUNS).map(([outcome, [becomes]]) => [outcome, becomes]),
) as { [outcome in Outcome]: Becomes };

/** Whether there is such an outcome. */
export function isOutcome(name: string): name is Outcome {
  return Object.hasOwn(RUNS, name);
}

/** Lets a session go this way; returns the bodies of its webhooks in their order. */
export function run(session: VeriffSession, outcome: Outcome): Json[] {
  return RUNS[outcome][1].map((step) => step(session));
}

/** Concludes the session's present attempt, from now on for the API too; returns the decision's body. */
export function decide(session: VeriffSession, word: Decision, fields: Json = {}): Json {
  session.decisions += 1;
  const body = decisionBody(session, word, fields);
  session.verification = body.verification as Json;
  mark(session, word);
  // The same session goes on, with a new attempt.
  if (word === 'resubmission_requested') {
    session.attempts.unshift(newAttempt());
    session.attemptId = session.attempts[0]?.id ?? '';
  }
  return body;
}

function mark(session: VeriffSession, status: string): void {
  const [newest] = session.attempts;
  if (newest) newest.status = status;
}
