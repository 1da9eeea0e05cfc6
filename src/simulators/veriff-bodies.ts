import { randomUUID } from 'node:crypto';
import type { SimulatedSession } from './simulator.ts';

export type Json = { [field: string]: unknown };
/** One round of handing in and deciding; a session has one after another. */
export type Attempt = { id: string; status: string; createdTime: string; userDefinedData: Json[] };
/** A session as Veriff keeps it; its API tells of `verification` (null: nothing decided), `attempts` and `watchlist`. */
export type VeriffSession = SimulatedSession & {
  token: string;
  vendorData: string | null;
  callback: string | null;
  /** the newest attempt's */
  attemptId: string;
  /** newest first */
  attempts: Attempt[];
  verification: Json | null;
  watchlist: Json | null;
  decisions: number;
};

/** Veriff's words for a decision with their codes, for an event with theirs. */
const DECISIONS = {
  approved: 9001,
  declined: 9102,
  resubmission_requested: 9103,
  expired: 9104,
  abandoned: 9104,
  review: 9121,
} as const;
const EVENTS = { started: 7001, submitted: 7002, waiting_complete: 7007 } as const;

export type Decision = keyof typeof DECISIONS;
export type Event = keyof typeof EVENTS;

/** The person and the document that bodies carry: made up, and never to be seen outside their webhook. */
export const PERSONAL = ['QUENTINA', 'VEXLEY', '1990-02-03', 'X7741239Q', '203.0.113.77'] as const;

/** A decision about the session's present attempt; `fields` replace those of `verification`. */
export function decisionBody(session: VeriffSession, status: Decision, fields: Json = {}): Json {
  const [firstName, lastName, dateOfBirth, number, ip] = PERSONAL;
  const timeless = status === 'expired' || status === 'abandoned';
  const verification = {
    id: session.id,
    attemptId: session.attemptId,
    code: DECISIONS[status],
    status,
    reason: status === 'declined' ? 'Document was not accepted' : null,
    reasonCode: status === 'declined' ? '102' : null,
    vendorData: session.vendorData,
    endUserId: null,
    acceptanceTime: session.attempts.at(-1)?.createdTime,
    decisionTime: timeless ? null : timeOf(session.decisions),
    comments: [],
    person: { firstName, lastName, dateOfBirth, idNumber: null, gender: null, nationality: null },
    document: { type: 'PASSPORT', number, country: 'EE', validFrom: null, validUntil: '2030-01-01' },
    additionalVerifiedData: {},
    riskLabels: [],
    ...fields,
  };
  return { status: 'success', verification, technicalData: { ip } };
}

/** How far the person is; events carry no time. */
export function eventBody(
  { id, attemptId, vendorData }: VeriffSession,
  action: Event,
  fields: Json = {},
): Json {
  const code = EVENTS[action];
  return { id, attemptId, feature: 'selfid', code, action, vendorData, endUserId: null, ...fields };
}

/** A session nobody has decided about yet. */
export function newSession(origin: string, asked: Json): VeriffSession {
  const token = `${randomUUID()}${randomUUID()}`.replaceAll('-', '');
  const { callback } = asked;
  const vendorData = typeof asked.vendorData === 'string' ? asked.vendorData : null;
  const attempt = newAttempt();
  return {
    id: randomUUID(),
    token,
    url: `${origin}/v/${token}`,
    vendorData,
    challengeId: vendorData,
    callback: typeof callback === 'string' ? callback : null,
    attemptId: attempt.id,
    attempts: [attempt],
    verification: null,
    watchlist: null,
    decisions: 0,
  };
}

/** The round that begins with a session, or with the wish to hand in again. */
export function newAttempt(): Attempt {
  return { id: randomUUID(), status: 'created', createdTime: timeOf(0), userDefinedData: [] };
}

/** Now, with six fraction digits as Veriff writes them; a session's decisions differ in the last ones. */
export function timeOf(decisions: number): string {
  return new Date().toISOString().replace('Z', `${String(decisions % 1_000).padStart(3, '0')}Z`);
}
