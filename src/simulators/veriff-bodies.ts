import { randomUUID } from 'node:crypto';
import type { SimulatedSession } from './simulator.ts';

export type Json = { [field: string]: unknown };
/** A session as Veriff keeps it; `verification` is what a read-back shows, null until there is a decision. */
export type VeriffSession = SimulatedSession & {
  token: string;
  vendorData: string | null;
  callback: string | null;
  attemptId: string;
  verification: Json | null;
};

/** Veriff's words for a decision with their codes, for an event with theirs. */
export const DECISIONS = {
  approved: 9001,
  declined: 9102,
  resubmission_requested: 9103,
  expired: 9104,
  abandoned: 9104,
  review: 9121,
} as const;
export const EVENTS = { started: 7001, submitted: 7002 } as const;

export type Decision = keyof typeof DECISIONS;
export type Event = keyof typeof EVENTS;

/** The person and the document that every decision carries: made up, and never to be seen outside its webhook. */
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
    acceptanceTime: '2026-01-15T10:00:00.000000Z',
    decisionTime: timeless ? null : timeNow(),
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
  const known = {
    id,
    attemptId,
    feature: 'selfid',
    code: EVENTS[action],
    action,
    vendorData,
    endUserId: null,
  };
  return { ...known, ...fields };
}

/** A session nobody has decided about yet. */
export function newSession(origin: string, asked: Json): VeriffSession {
  const token = `${randomUUID()}${randomUUID()}`.replaceAll('-', '');
  const { callback } = asked;
  const vendorData = typeof asked.vendorData === 'string' ? asked.vendorData : null;
  return {
    id: randomUUID(),
    token,
    url: `${origin}/v/${token}`,
    vendorData,
    challengeId: vendorData,
    callback: typeof callback === 'string' ? callback : null,
    attemptId: randomUUID(),
    verification: null,
  };
}

/** Six fraction digits, as Veriff writes them. */
function timeNow(): string {
  return new Date().toISOString().replace('Z', '456Z');
}
