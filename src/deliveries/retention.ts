import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { DB } from '../generated/database.ts';
import type { Log } from '../kernel/log.ts';
import {
  deleteBodies,
  deleteStrayAttempts,
  dropPartition,
  findDaysToDrop,
  findDaysToMake,
  forgetGoneUrls,
  makePartition,
} from './retention-store.ts';
import type { Place } from './retention-store.ts';

export type RetentionDeps = {
  db: Kysely<DB>;
  bodyRetentionDays: number;
  attemptRetentionDays: number;
  log: Log;
};
export type Retention = {
  /** Makes the partitions that attempts of today and the next days go to. Never throws: without one there is the default. */
  prepare: () => Promise<void>;
  /** Does the same, and deletes what is older than it may be. */
  tidy: () => Promise<void>;
  /** Lets a tidying under way end after its current step. */
  stop: () => void;
};

/** So many days without a running server, or with a lock in the way, still find their partitions made. */
const DAYS_AHEAD = 7;
const BATCH = 1_000;
/** Deliveries come first: between two batches others get their turn. */
const PAUSE_MS = 50;
/** SQLSTATE: somebody held a lock for longer than we wait. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Keeps attempts and bodies no longer than the operator decided. */
export function createRetention(deps: RetentionDeps): Retention {
  const { db, bodyRetentionDays, attemptRetentionDays, log } = deps;
  let stopped = false;
  const goesOn = () => !stopped;

  /** Each by itself; but whoever holds a lock on one day's attempts mostly holds it on all, and every wait is in the way. */
  async function each(days: string[], what: string, work: (day: string) => Promise<unknown>): Promise<void> {
    for (const day of days) {
      if (!goesOn()) return;
      try {
        await work(day);
      } catch (error) {
        log.warn({ err: error, day }, `${what}; will try again within the hour`);
        if ((error as { code?: unknown }).code === LOCK_NOT_AVAILABLE) return;
      }
    }
  }

  async function makeAhead(): Promise<void> {
    const days = await findDaysToMake(db, DAYS_AHEAD);
    await each(days, 'a partition for attempts could not be made', (day) => makePartition(db, day));
  }

  async function dropOld(): Promise<void> {
    const days = await findDaysToDrop(db, attemptRetentionDays);
    await each(days, 'old attempts could not be dropped', (day) => dropPartition(db, day));
    while (goesOn() && (await deleteStrayAttempts(db, attemptRetentionDays, BATCH)) === BATCH)
      await sleep(PAUSE_MS);
  }

  async function deleteOldBodies(): Promise<void> {
    let place: Place | undefined;
    let total = 0;
    while (goesOn()) {
      const { deleted, next } = await deleteBodies(db, bodyRetentionDays, BATCH, place);
      total += deleted;
      place = next;
      if (!place) break;
      await sleep(PAUSE_MS);
    }
    if (total > 0) log.info({ events: total }, 'bodies of old events deleted');
  }

  return {
    prepare: () =>
      makeAhead().catch((error: unknown) =>
        log.warn({ err: error }, 'partitions for attempts could not be made; will try again within the hour'),
      ),
    async tidy() {
      await makeAhead();
      await dropOld();
      await deleteOldBodies();
      await forgetGoneUrls(db, attemptRetentionDays);
    },
    stop: () => (stopped = true),
  };
}
