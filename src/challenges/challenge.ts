import type { Selectable } from 'kysely';
import type { Challenges } from '../generated/database.ts';

/** A row of `challenges`. */
export type Challenge = Selectable<Challenges>;
export type Status = Challenge['status'];
export type Mode = Challenge['mode'];
export type Terminal = 'verified' | 'failed' | 'expired';

export const STATUSES: readonly Status[] = ['initiated', 'in-progress', 'verified', 'failed', 'expired'];
export const MIN_EXPIRY_MINUTES = 1;
export const MAX_EXPIRY_MINUTES = 10_080;
export const DEFAULT_EXPIRY_MINUTES = 15;
/** How long a verified result may be relied on. */
export const VALIDITY_MINUTES = 15;
/** How long after it the person may still say that it was not them. */
export const DISPUTE_WINDOW_HOURS = 24;
export const DISPUTE_WINDOW_MS = DISPUTE_WINDOW_HOURS * 3_600_000;
/** The `failure_reason` of a challenge that its caller took back. */
export const CANCELED = 'canceled';

/** From where each status may be reached; what is terminal is never left. */
const LEGAL_FROM: Record<Status, readonly Status[]> = {
  initiated: [],
  // again, when a second browser takes over
  'in-progress': ['initiated', 'in-progress'],
  verified: ['initiated', 'in-progress'],
  failed: ['initiated', 'in-progress'],
  expired: ['initiated', 'in-progress'],
};

/** The statuses from which `to` may be reached. */
export function legalFrom(to: Status): readonly Status[] {
  return LEGAL_FROM[to];
}

/** Whether the status is final. */
export function isTerminal(status: Status): status is Terminal {
  return status === 'verified' || status === 'failed' || status === 'expired';
}

/** The challenge as it stands at `now`: one past its deadline reads as expired before the sweep has written it down. */
export function asOf(challenge: Challenge, now: Date): Challenge {
  if (isTerminal(challenge.status) || challenge.expires_at > now) return challenge;
  return { ...challenge, status: 'expired', completed_at: challenge.expires_at };
}

/** Whether the person may still say that it was not them. */
export function isDisputable(challenge: Challenge, now: Date): boolean {
  const { status, disputed, completed_at, erased_at } = challenge;
  const verifiedAt = status === 'verified' && !erased_at ? completed_at : null;
  return !disputed && verifiedAt !== null && now.getTime() < verifiedAt.getTime() + DISPUTE_WINDOW_MS;
}

/** Until when a result that was verified at this time may be relied on. */
export function validUntil(verifiedAt: Date): Date {
  return new Date(verifiedAt.getTime() + VALIDITY_MINUTES * 60_000);
}

/** The deadline of a challenge created at `now`: the request's minutes, else the tenant's, else the server's; whole seconds. */
export function expiryOf(now: Date, requested: number | undefined, tenantDefault: number | null): Date {
  const minutes = requested ?? tenantDefault ?? DEFAULT_EXPIRY_MINUTES;
  return new Date(Math.floor(now.getTime() / 1_000) * 1_000 + minutes * 60_000);
}
