import { asOf, CANCELED, isTerminal } from './challenge.ts';
import type { Challenge } from './challenge.ts';

/** What the browser that pressed Continue told, in the order in which it is shown. */
export type DeviceFacts = {
  browser: string | null;
  os: string | null;
  screen: string | null;
  timezone: string | null;
  ip: string | null;
  user_agent: string | null;
  language: string | null;
};

/** How long after the end a callback waits for them. */
export const HOLD_MS = 10_000;

/** Whether the browser that pressed Continue has not told yet, and may. */
export function mayTell(stored: Challenge, now: Date): boolean {
  const challenge = asOf(stored, now);
  return isTerminal(challenge.status) ? awaitsFacts(challenge, now) : isSilent(challenge);
}

/** Whether the challenge has just ended in a browser that may still tell: its callback waits. Alarms do not, and what no person did. */
export function awaitsFacts(challenge: Challenge, now: Date): boolean {
  const { status, failure_reason, incident_reported_at, acts_as, completed_at } = challenge;
  if (status !== 'verified' && status !== 'failed') return false;
  if (failure_reason === CANCELED || incident_reported_at !== null || acts_as !== null) return false;
  return isSilent(challenge) && now.getTime() < (completed_at?.getTime() ?? 0) + HOLD_MS;
}

function isSilent({ browser_hash, started_at, device_fingerprint, erased_at }: Challenge): boolean {
  return browser_hash !== null && started_at !== null && device_fingerprint === null && erased_at === null;
}
