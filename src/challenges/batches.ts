import type { Db } from '../db/database.ts';
import { batched } from '../kernel/batch.ts';
import type { Challenge } from './challenge.ts';
import { findChallenges, insertChallenges } from './store.ts';
import type { Asked, NewChallenge } from './store.ts';

/** The two hot statements, shared by requests that come at the same time. */
export type Batches = {
  insert: (made: NewChallenge) => Promise<void>;
  find: (asked: Asked) => Promise<Challenge | undefined>;
};

const LIMITS = { atOnce: 2, maxItems: 50, isItemsFault };

/** Bad data or a broken constraint (SQLSTATE classes 22 and 23); anything else would fail each of them again. */
function isItemsFault(error: unknown): boolean {
  return /^2[23]/.test(String((error as { code?: unknown }).code));
}

/** One of these per process. */
export function createBatches(db: Db): Batches {
  return {
    insert: batched(async (made: NewChallenge[]) => {
      await insertChallenges(db, made);
      return made.map(() => undefined);
    }, LIMITS),
    find: batched((asked: Asked[]) => findChallenges(db, asked), LIMITS),
  };
}
