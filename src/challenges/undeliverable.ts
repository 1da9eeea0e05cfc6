import { endpointsOf } from '../deliveries/endpoint.ts';
import { findUndeliverable } from '../deliveries/messages-store.ts';
import type { Challenge } from './challenge.ts';
import { lockChallenge } from './lock-store.ts';
import { applyChange } from './settle.ts';
import type { SettleDeps } from './settle.ts';

/** The `failure_reason` of a challenge whose card Slack would not take. */
export const UNDELIVERABLE = 'undeliverable';

const BATCH = 100;

/** Ends as failed what no person will ever hear of, and so tells whoever asked; returns how many. Safe in many processes at once. */
export async function failUndeliverable(deps: SettleDeps): Promise<number> {
  const failed: Challenge[] = [];
  for (const id of await findUndeliverable(deps.db, BATCH)) {
    const challenge = await failOne(deps, id);
    if (challenge) failed.push(challenge);
  }
  deps.wake(endpointsOf(failed));
  return failed.length;
}

/** Unless the person has just begun: then it has reached them after all. */
function failOne({ db, now }: SettleDeps, challengeId: string): Promise<Challenge | undefined> {
  return db.transaction().execute(async (tx) => {
    const found = await lockChallenge(tx, challengeId);
    if (found?.status !== 'initiated') return undefined;
    const fields = { failure_reason: UNDELIVERABLE };
    return applyChange(tx, { challengeId, to: 'failed', actor: 'system', fields }, now());
  });
}
