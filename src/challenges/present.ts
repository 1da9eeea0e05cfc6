import { asOf, isTerminal } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import { awaitsFacts } from './device.ts';
import type { KeptProgress } from './findings-store.ts';

/** ISO 8601 in UTC with whole seconds, as the contract's samples have it. */
export function isoTime(time: Date): string;
export function isoTime(time: Date | null): string | null;
export function isoTime(time: Date | null): string | null {
  return time ? `${time.toISOString().slice(0, 19)}Z` : null;
}

/** The answer to a read: the documented fields first, then what else the callback carries. */
export function presentChallenge(stored: Challenge, now: Date) {
  const challenge = asOf(stored, now);
  return {
    challenge_id: challenge.id,
    status: challenge.status,
    created_at: isoTime(challenge.created_at),
    expires_at: isoTime(challenge.expires_at),
    completed_at: isoTime(challenge.completed_at),
    is_expired: challenge.status === 'expired',
    consumed_at: isoTime(challenge.consumed_at),
    device_fingerprint: challenge.device_fingerprint,
    device_fingerprint_status: fingerprintStatus(challenge, now),
    erased_at: isoTime(challenge.erased_at),
    provider: challenge.provider,
    requester_email: challenge.requester_email,
    return_url: challenge.return_url,
    slack_instance_id: challenge.slack_instance_id,
    verification_code: challenge.verification_code,
    provider_status: challenge.provider_status,
    provider_signals: challenge.provider_signals,
    progress: progressOf(challenge),
    ...shared(challenge),
  };
}

/** The body of a callback, as text that is signed and sent unchanged: the documented fields in their order, then ours. */
export function callbackBody(
  challenge: Challenge,
  event: { id: string; type: string; sequence: number },
): string {
  const { target_user_id, context, target_response, auth_method, ...others } = shared(challenge);
  return JSON.stringify({
    event_type: event.type,
    challenge_id: challenge.id,
    status: challenge.status,
    created_at: isoTime(challenge.created_at),
    completed_at: isoTime(challenge.completed_at),
    expires_at: isoTime(challenge.expires_at),
    target_user_id,
    context,
    target_response,
    device_fingerprint: challenge.device_fingerprint,
    auth_method,
    ...others,
    event_id: event.id,
    sequence: event.sequence,
  });
}

function shared(challenge: Challenge) {
  return {
    target_user_id: challenge.target_user_id,
    target_user_email: challenge.target_user_email,
    requester_id: challenge.requester_id,
    ticket: challenge.ticket,
    context: challenge.context,
    target_response: challenge.target_response,
    auth_method: challenge.auth_method,
    auth_time: isoTime(challenge.auth_time),
    acr: challenge.acr,
    amr: challenge.amr,
    subject: challenge.subject,
    subject_match: challenge.subject_match,
    failure_reason: challenge.failure_reason,
    incident: incidentOf(challenge),
    disputed: challenge.disputed,
    valid_until: isoTime(challenge.valid_until),
    metadata: challenge.metadata,
    mode: challenge.mode,
  };
}

function incidentOf({ incident_reported_at, incident_comment }: Challenge) {
  return incident_reported_at && { reported_at: isoTime(incident_reported_at), comment: incident_comment };
}

/** In the order it happened at the provider, which is not the order we heard of it. */
function progressOf(challenge: Challenge) {
  const kept = challenge.progress as unknown as KeptProgress[];
  return kept
    .toSorted((a, b) => (a.order < b.order ? -1 : Number(a.order > b.order)))
    .map(({ provider, type, message, at }) => ({ provider, type, message, at }));
}

function fingerprintStatus(challenge: Challenge, now: Date) {
  if (challenge.device_fingerprint) return 'collected';
  return isTerminal(challenge.status) && !awaitsFacts(challenge, now) ? 'unavailable' : 'pending';
}
