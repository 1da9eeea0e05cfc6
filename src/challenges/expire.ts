import { applyChange } from './settle.ts';
import type { SettleDeps } from './settle.ts';
import { lockDue } from './store.ts';

const BATCH = 100;

/** Writes down that overdue challenges have expired and announces each once; returns how many. Safe in many processes at once. */
export async function expireDue({ db, now, wake }: SettleDeps): Promise<number> {
  let total = 0;
  for (;;) {
    const count = await db.transaction().execute(async (tx) => {
      const due = await lockDue(tx, now(), BATCH);
      for (const challenge of due) {
        const change = { challengeId: challenge.id, to: 'expired', actor: 'system' } as const;
        await applyChange(tx, change, now(), challenge.expires_at);
      }
      return due.length;
    });
    if (count > 0) wake();
    total += count;
    if (count < BATCH) return total;
  }
}
