import { findUndeliverable } from '../deliveries/messages-store.ts';
import { settle } from './settle.ts';
import type { SettleDeps } from './settle.ts';

/** The `failure_reason` of a challenge whose card Slack would not take. */
export const UNDELIVERABLE = 'undeliverable';

const BATCH = 100;

/** Ends as failed what no person will ever hear of, and so tells whoever asked; returns how many. Safe in many processes at once. */
export async function failUndeliverable(deps: SettleDeps): Promise<number> {
  const ids = await findUndeliverable(deps.db, BATCH);
  let failed = 0;
  for (const challengeId of ids) {
    const fields = { failure_reason: UNDELIVERABLE };
    if (await settle(deps, { challengeId, to: 'failed', actor: 'system', fields })) failed++;
  }
  return failed;
}
