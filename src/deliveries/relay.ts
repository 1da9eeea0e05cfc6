import type { Db } from '../db/database.ts';
import type { Log } from '../kernel/log.ts';
import { rateLimited } from '../kernel/log.ts';
import type { Jobs } from '../queue.ts';
import { takeDue } from './store.ts';

/** Moves due deliveries from PostgreSQL to the queue. */
export type Relay = {
  /** Something was committed: hand it over soon. Never waits, never throws. */
  wake: () => void;
  /** Hands over all that is due and not believed to be carried: what a crash, a lost job or a lapsed lease left behind. */
  sweep: () => Promise<void>;
  /** The job for an attempt whose time is already written in its row. */
  schedule: (deliveryId: string, attempts: number, delayMs: number) => Promise<void>;
  close: () => Promise<void>;
};

const BATCH = 200;
/** Wakes within this time share one hand-over. */
const COALESCE_MS = 10;

export function createRelay({
  db,
  jobs,
  now,
  log,
}: {
  db: Db;
  jobs: Jobs;
  now: () => Date;
  log: Log;
}): Relay {
  const report = rateLimited((error) =>
    log.warn({ err: error }, 'deliveries could not be handed over; the sweep will try again'),
  );
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  const sweep = () => {
    // One at a time: a second caller waits for the first and then looks again.
    running = running.then(() => handOver(db, jobs, now)).catch(report);
    return running;
  };
  return {
    wake() {
      timer ??= setTimeout(() => {
        timer = undefined;
        void sweep();
      }, COALESCE_MS);
    },
    sweep,
    async schedule(deliveryId, attempts, delayMs) {
      try {
        await jobs.add('callbacks', [{ key: jobKey('r', deliveryId, attempts), rowId: deliveryId, delayMs }]);
      } catch (error) {
        report(error);
      }
    },
    async close() {
      clearTimeout(timer);
      await running;
    },
  };
}

async function handOver(db: Db, jobs: Jobs, now: () => Date): Promise<void> {
  for (;;) {
    const due = await takeDue(db, now(), BATCH);
    await jobs.add(
      'callbacks',
      due.map(({ id, attempts }) => ({ key: jobKey('d', id, attempts), rowId: id })),
    );
    if (due.length < BATCH) return;
  }
}

/**
 * One key per attempt: handing it over twice makes one job. A delayed retry (`r`) has its own, or the queue would
 * swallow the hand-over (`d`) of a row that became due before its delay is over.
 */
function jobKey(kind: 'd' | 'r', deliveryId: string, attempts: number): string {
  return `${kind}_${deliveryId}_${attempts + 1}`;
}
