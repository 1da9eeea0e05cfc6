import { endpointsOf } from '../deliveries/endpoint.ts';
import { rewriteHeld } from '../deliveries/hold-store.ts';
import { touchMessages } from '../deliveries/messages-store.ts';
import type { Db } from '../db/database.ts';
import { isTerminal } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import { mayTell } from './device.ts';
import type { DeviceFacts } from './device.ts';
import { saveFacts } from './device-store.ts';
import { lockChallenge } from './lock-store.ts';
import { callbackBody } from './present.ts';
import type { SettleDeps } from './settle.ts';

/** `late`: the callback went without, the challenge is over, or another browser took over. */
export type Told = 'told' | 'known' | 'late';

/**
 * Keeps what the browser that pressed Continue told, once for each start, and lets a callback that waits for it go with it.
 * What is known already or comes too late changes nothing.
 */
export async function tellDevice(deps: SettleDeps, visited: Challenge, facts: DeviceFacts): Promise<Told> {
  const told = await deps.db.transaction().execute((tx) => tell(tx, visited, facts, deps.now()));
  if (typeof told === 'string') return told;
  if (isTerminal(told.status)) deps.wake(endpointsOf([told]));
  return 'told';
}

async function tell(
  tx: Db,
  { id, browser_hash }: Challenge,
  device_fingerprint: DeviceFacts,
  now: Date,
): Promise<Challenge | 'known' | 'late'> {
  const challenge = await lockChallenge(tx, id);
  if (!challenge || challenge.browser_hash !== browser_hash) return 'late';
  if (challenge.device_fingerprint !== null) return 'known';
  if (!mayTell(challenge, now)) return 'late';
  const told = { ...challenge, device_fingerprint };
  if (isTerminal(told.status) && !(await rewriteHeld(tx, id, (event) => callbackBody(told, event))))
    return 'late';
  await saveFacts(tx, id, device_fingerprint);
  // Before the end, messages do not show them.
  if (isTerminal(told.status)) await touchMessages(tx, told, now);
  return told;
}
