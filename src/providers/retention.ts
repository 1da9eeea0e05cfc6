import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../db/database.ts';
import type { Log } from '../kernel/log.ts';
import { deleteOldBodies, deleteOldRefusals } from './retention-store.ts';

export type InboxRetention = {
  /** Deletes what is older than it may be; what is not handled yet stays, however old it is. */
  tidy: () => Promise<void>;
  /** Lets a tidying under way end after its current step. */
  stop: () => void;
};

const BATCH = 1_000;
/** Webhooks come first: between two batches others get their turn. */
const PAUSE_MS = 50;

/**
 * What becomes of webhooks in time: the sealed bodies go, and later the counts of refused ones. The lines themselves
 * stay, so that the same webhook is still known when it comes again.
 */
export function createInboxRetention({
  db,
  webhookRetentionDays,
  attemptRetentionDays,
  log,
}: {
  db: Db;
  webhookRetentionDays: number;
  attemptRetentionDays: number;
  log: Log;
}): InboxRetention {
  let stopped = false;

  /** Repeats a step until it has less to do than it may; returns how much it did in all. */
  async function repeat(step: () => Promise<number>): Promise<number> {
    for (let total = 0; ; await sleep(PAUSE_MS)) {
      const done = await step();
      total += done;
      if (done < BATCH || stopped) return total;
    }
  }

  async function deleteBodies(): Promise<void> {
    let place: Date | undefined;
    const bodies = await repeat(async () => {
      const { deleted, last } = await deleteOldBodies(db, webhookRetentionDays, BATCH, place);
      place = last;
      return deleted;
    });
    if (bodies > 0) log.info({ webhooks: bodies }, 'bodies of old webhooks deleted');
  }

  return {
    async tidy() {
      await deleteBodies();
      if (!stopped) await repeat(() => deleteOldRefusals(db, attemptRetentionDays, BATCH));
    },
    stop: () => (stopped = true),
  };
}
