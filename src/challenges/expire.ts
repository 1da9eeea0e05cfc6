import { endpointsOf } from '../deliveries/endpoint.ts';
import { applyChange } from './settle.ts';
import type { SettleDeps } from './settle.ts';
import { lockDue } from './store.ts';

const BATCH = 100;
/** Then others get their turn, and a process that stops can; the next sweep goes on. */
const MAX_BATCHES = 20;

/** Writes down that overdue challenges have expired and announces each once; returns how many. Safe in many processes at once. */
export async function expireDue({ db, now, wake }: SettleDeps): Promise<number> {
  let total = 0;
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    const due = await db.transaction().execute(async (tx) => {
      const locked = await lockDue(tx, now(), BATCH);
      for (const challenge of locked) {
        const change = { challengeId: challenge.id, to: 'expired', actor: 'system' } as const;
        await applyChange(tx, change, now(), challenge.expires_at);
      }
      return locked;
    });
    wake(endpointsOf(due));
    total += due.length;
    if (due.length < BATCH) break;
  }
  return total;
}
