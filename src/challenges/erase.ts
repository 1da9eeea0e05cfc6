import type { Kysely } from 'kysely';
import type { DB } from '../generated/database.ts';
import { AppError, invalid } from '../kernel/errors.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Batches } from './batches.ts';
import { getChallenge } from './cancel.ts';
import { asOf, isTerminal } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import { countErasable, eraseBatch, findErasable } from './erase-store.ts';
import type { Erased, EraseScope, Target } from './erase-store.ts';
import { readText } from './text.ts';
import type { Scope } from './store.ts';

export type EraseDeps = {
  db: Kysely<DB>;
  now: () => Date;
  /** counts canceled deliveries; a command has nobody to show them to */
  metrics?: Pick<Metrics, 'deliveriesTotal'>;
  /** what a command leaves to be done, the servers find by themselves */
  wake?: (endpointIds: readonly string[]) => void;
};
/** What came of an erasure: challenges erased now, challenges left because they are open, deliveries that will not be sent. */
type Erasure = { erased: number; open: number; deliveries_canceled: number };

const BATCH = 500;
const MAX_EMAIL = 254;
const MAX_ID = 255;
/** SQLSTATE: two transactions waited for each other, and this one was chosen to go. It did nothing, and may try again. */
const DEADLOCK = '40P01';
const TRIES = 5;

/** Takes personal data out of an ended challenge; again: the same answer. 404 if it is not the caller's, 409 while it is open. */
export async function eraseChallenge(
  deps: EraseDeps & { batches: Batches },
  id: string,
  scope: Scope,
  actor: string,
): Promise<Challenge> {
  const found = await getChallenge(deps, id, scope);
  if (!isTerminal(found.status)) throw new AppError('conflict', whyNot(found, deps.now()));
  await erase(deps, [found.id], actor);
  return getChallenge(deps, id, scope);
}

/** Takes personal data out of all ended challenges of a target; open ones are left and counted. */
export async function eraseTarget(
  deps: EraseDeps,
  target: Target,
  scope: EraseScope,
  actor: string,
): Promise<Erasure> {
  let [erased, deliveries_canceled] = [0, 0];
  for (;;) {
    const ids = await findErasable(deps.db, scope, target, BATCH);
    if (ids.length === 0) break;
    const batch = await erase(deps, ids, actor);
    erased += batch.ids.length;
    deliveries_canceled += batch.canceled;
  }
  const { open } = await countErasable(deps.db, scope, target);
  return { erased, open, deliveries_canceled };
}

/** An unknown body to the target it names, or a 400 that says what is wrong. */
export function parseErasure(body: unknown): Target {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalid('the request body must be a JSON object');
  const given = body as { [name: string]: unknown };
  // A name that is not understood might have been meant to narrow what is gone for ever afterwards.
  const unknown = Object.keys(given).find((name) => !['target_user_email', 'target_user_id'].includes(name));
  if (unknown !== undefined)
    throw invalid('unknown field; use target_user_email or target_user_id', unknown.slice(0, 40));
  const target_user_email = readText(given.target_user_email, 'target_user_email', { max: MAX_EMAIL });
  const target_user_id = readText(given.target_user_id, 'target_user_id', { max: MAX_ID });
  if (target_user_email !== undefined && target_user_id !== undefined)
    throw invalid(
      'send target_user_email or target_user_id, not both; erase by each in turn',
      'target_user_id',
    );
  if (target_user_id !== undefined) return { target_user_id };
  if (target_user_email !== undefined) return { target_user_email };
  throw invalid('target_user_email or target_user_id is required', 'target_user_email');
}

async function erase({ db, now, metrics, wake }: EraseDeps, ids: string[], actor: string): Promise<Erased> {
  for (let tries = 1; ; tries++) {
    try {
      const erased = await eraseBatch(db, ids, { actor, at: now() });
      metrics?.deliveriesTotal.inc({ outcome: 'canceled' }, erased.canceled);
      wake?.(erased.endpoints);
      return erased;
    } catch (error) {
      if ((error as { code?: unknown }).code !== DEADLOCK || tries === TRIES) throw error;
    }
  }
}

function whyNot(challenge: Challenge, now: Date): string {
  const { status } = asOf(challenge, now);
  if (isTerminal(status)) return 'Challenge has only just expired; try again in a few seconds';
  return `Challenge is still ${status}; cancel it first, or wait until it has ended`;
}
