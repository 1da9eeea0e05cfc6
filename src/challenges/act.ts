import { endpointsOf } from '../deliveries/endpoint.ts';
import { lockActing } from './act-store.ts';
import { isTerminal } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import { SANDBOX } from './choice.ts';
import { INCIDENT_REPORTED, applyChange } from './settle.ts';
import type { Change, SettleDeps } from './settle.ts';
import { FIRST_MS } from './test-targets.ts';
import type { Outcome } from './test-targets.ts';

const BATCH = 100;
/** Then others get their turn; the next sweep goes on. */
const MAX_BATCHES = 20;
const COMMENT = 'A test target reports every challenge.';

/** In the audit trail of everything that no person did. */
export const SIMULATED = { simulated: true };

/** Lets test targets do what they do, each once, and announces it; returns how many steps that were. Safe in many processes at once. */
export async function actDue({ db, now, wake }: SettleDeps): Promise<number> {
  let total = 0;
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    const moved = await db.transaction().execute(async (tx) => {
      const at = now();
      const begin = new Date(at.getTime() - FIRST_MS);
      const steps: (Challenge | undefined)[] = [];
      for (const challenge of await lockActing(tx, { now: at, begin, limit: BATCH }))
        steps.push(await applyChange(tx, stepOf(challenge, at), at));
      return steps.filter((one) => one !== undefined);
    });
    wake(endpointsOf(moved.filter(({ status }) => isTerminal(status))));
    total += moved.length;
    if (moved.length < BATCH) break;
  }
  return total;
}

/** What becomes at once of a challenge whose target does this, as if a person had done it in the sandbox. */
export function changeOf(outcome: Outcome, comment: string | null): Pick<Change, 'to' | 'fields'> {
  if (outcome === 'slow') return { to: 'in-progress' };
  if (outcome === 'expire') return { to: 'expired' };
  if (outcome === 'verify') return { to: 'verified', fields: { auth_method: SANDBOX } };
  const failed = (failure_reason: string) => ({ auth_method: SANDBOX, failure_reason });
  if (outcome === 'deny') return { to: 'failed', fields: failed('declined') };
  return { to: 'failed', fields: { ...failed(INCIDENT_REPORTED), incident_comment: comment } };
}

function stepOf({ id, acts_as, acts_at }: Challenge, at: Date): Change {
  const outcome = acts_as === null || acts_at === null || acts_at > at ? 'slow' : acts_as;
  return { challengeId: id, actor: 'target', detail: SIMULATED, ...changeOf(outcome, COMMENT) };
}
