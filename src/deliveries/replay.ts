import type { Kysely, Transaction } from 'kysely';
import type { DB } from '../generated/database.ts';
import { newId } from '../kernel/id.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { recordAudit } from './desk-store.ts';
import type { Viewer } from './desk-store.ts';
import type { ReplayWish } from './input.ts';
import { assess, insertResends, lockReplays } from './replay-store.ts';
import type { Assessment } from './replay-store.ts';

export type ReplayDeps = {
  db: Kysely<DB>;
  now: () => Date;
  wake: (endpointIds: readonly string[]) => void;
  metrics: Pick<Metrics, 'replaysTotal'>;
};
export type Replayed = Assessment['counts'] & {
  dry_run: boolean;
  matching: number;
  replayed: number;
  /** how long it takes at the rate; of a dry run: would take */
  finishes_in_seconds: number;
  /** more can be sent again than this call takes; call again for the rest */
  capped: boolean;
};

/** Sends again all that the filter finds and that can be, each event once, at a rate; a dry run only counts. */
export async function replayDeliveries(
  { db, now, wake, metrics }: ReplayDeps,
  viewer: Viewer,
  wish: ReplayWish,
  actor: string,
): Promise<Replayed> {
  if (wish.dryRun) return summarize(wish, await assess(db, viewer, wish.filter, wish.limit));
  const { found, endpoints } = await db.transaction().execute(async (tx) => {
    const done = await replayWithin(tx, viewer, wish, now());
    const { filter, limit, ratePerSecond } = wish;
    const detail = { filter, limit, rate_per_second: ratePerSecond, replayed: done.found.ids.length };
    if (done.found.ids.length > 0)
      await recordAudit(tx, {
        ...{ tenant_id: viewer.tenant_id, challenge_id: null, at: now(), actor },
        ...{ action: 'deliveries_replayed', detail: JSON.stringify(detail) },
      });
    return done;
  });
  metrics.replaysTotal.inc(found.ids.length);
  wake(endpoints);
  return summarize(wish, found);
}

async function replayWithin(
  tx: Transaction<DB>,
  viewer: Viewer,
  { filter, limit, ratePerSecond }: ReplayWish,
  at: Date,
): Promise<{ found: Assessment; endpoints: string[] }> {
  await lockReplays(tx, viewer.tenant_id);
  const found = await assess(tx, viewer, filter, limit);
  const pairs = found.ids.map((original) => ({ original, id: newId() }));
  return { found, endpoints: await insertResends(tx, pairs, ratePerSecond, at) };
}

function summarize({ dryRun, ratePerSecond }: ReplayWish, { counts, ids }: Assessment): Replayed {
  const { replayable, without_body, on_disabled_endpoint, already_resent } = counts;
  return {
    dry_run: dryRun,
    matching: replayable + without_body + on_disabled_endpoint + already_resent,
    ...counts,
    replayed: dryRun ? 0 : ids.length,
    finishes_in_seconds: Math.ceil(ids.length / ratePerSecond),
    capped: replayable > ids.length,
  };
}
