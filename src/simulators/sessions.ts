import { setTimeout as sleep } from 'node:timers/promises';
import type { SimulatedSession } from './simulator.ts';

const POLL_MS = 25;
const LIMIT_MS = 10_000;

/** The newest session of this challenge, once there is one; gives up after ten seconds. */
export async function newestOf<T extends SimulatedSession>(
  sessions: readonly T[],
  challengeId: string,
): Promise<T> {
  const end = Date.now() + LIMIT_MS;
  for (;;) {
    const session = sessions.findLast((one) => one.challengeId === challengeId);
    if (session) return session;
    if (Date.now() > end) throw new Error(`no session of challenge ${challengeId} in ${LIMIT_MS} ms`);
    await sleep(POLL_MS);
  }
}
