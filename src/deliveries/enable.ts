import type { Kysely, Transaction } from 'kysely';
import type { DB } from '../generated/database.ts';
import { AppError } from '../kernel/errors.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { announce } from './announce-store.ts';
import { aboutEndpoint } from './announce.ts';
import { stateOf } from './breaker.ts';
import { recordAudit } from './desk-store.ts';
import type { Viewer } from './desk-store.ts';
import { BARRED, findEndpoint, lockHealth, markDisabled, markEnabled } from './endpoint-store.ts';
import type { SeenEndpoint } from './endpoint-store.ts';
import { DEFAULT_RATE, MAX_REPLAY } from './input.ts';
import { replayWithin } from './replay.ts';
import type { ReplayDeps } from './replay.ts';

export type EnableDeps = ReplayDeps & { metrics: Pick<Metrics, 'endpointsDisabledTotal'> };
export type Enabled = { endpoint: SeenEndpoint; replayed: number; capped: boolean };

/** The viewer's endpoint; 404 if it is not the viewer's. */
export async function getEndpoint(db: Kysely<DB>, id: string, viewer: Viewer): Promise<SeenEndpoint> {
  const endpoint = await findEndpoint(db, viewer, id);
  if (!endpoint) throw new AppError('not_found', 'Endpoint not found');
  return endpoint;
}

/** Stops sending to an endpoint: what waits for it, or comes, is dead and can be replayed. Again, it changes nothing. */
export async function disableEndpoint(
  { db, now, wake, metrics }: EnableDeps,
  id: string,
  viewer: Viewer,
  actor: string,
): Promise<SeenEndpoint> {
  const endpoint = await getEndpoint(db, id, viewer);
  const woken = await db.transaction().execute(async (tx) => {
    if (!(await markDisabled(tx, id))) return undefined;
    await audit(tx, endpoint, now(), actor, 'endpoint_disabled', {});
    const news = {
      ...aboutEndpoint(endpoint),
      type: 'endpoint.disabled',
      detail: { reason: 'operator' },
    } as const;
    return announce(tx, news, now());
  });
  if (woken) {
    metrics.endpointsDisabledTotal.inc({ reason: 'operator' });
    wake(woken);
  }
  return getEndpoint(db, id, viewer);
}

/**
 * Lets an endpoint and its URLs be sent to again, also before its breaker would; with `replay`, what died since
 * because it was disabled, or a URL of it gone, is sent again. An endpoint that nothing holds up is left alone.
 */
export async function enableEndpoint(
  { db, now, wake, metrics }: EnableDeps,
  id: string,
  viewer: Viewer,
  actor: string,
  { replay }: { replay: boolean },
): Promise<Enabled> {
  const endpoint = await getEndpoint(db, id, viewer);
  const done = await db.transaction().execute(async (tx) => {
    const { health, barred_since } = await lockHealth(tx, id);
    const was = stateOf(health, now());
    if (barred_since === null && (was === 'healthy' || was === 'failing')) return undefined;
    await markEnabled(tx, id, health);
    const replayed = replay && barred_since ? await replaySince(tx, endpoint, barred_since, now()) : NOTHING;
    await audit(tx, endpoint, now(), actor, 'endpoint_enabled', { was, replayed: replayed.count });
    const news = { ...aboutEndpoint(endpoint), type: 'endpoint.enabled', detail: {} } as const;
    const woken = barred_since ? await announce(tx, news, now()) : [];
    return { ...replayed, woken };
  });
  if (done) {
    metrics.replaysTotal.inc(done.count);
    wake([id, ...done.woken]);
  }
  return {
    endpoint: await getEndpoint(db, id, viewer),
    replayed: done?.count ?? 0,
    capped: done?.capped ?? false,
  };
}

const NOTHING = { count: 0, capped: false };

async function replaySince(tx: Transaction<DB>, endpoint: SeenEndpoint, since: Date, at: Date) {
  const viewer = { tenant_id: endpoint.tenant_id, mode: null, only_of: null };
  const filter = {
    status: 'dead',
    endpoint_id: endpoint.id,
    dead_reasons: BARRED,
    ended_since: since,
  } as const;
  const wish = { filter, limit: MAX_REPLAY, ratePerSecond: DEFAULT_RATE };
  const { found } = await replayWithin(tx, viewer, wish, at);
  return { count: found.ids.length, capped: found.counts.replayable > found.ids.length };
}

function audit(
  tx: Transaction<DB>,
  { tenant_id, id, origin }: SeenEndpoint,
  at: Date,
  actor: string,
  action: string,
  more: object,
): Promise<void> {
  const detail = JSON.stringify({ endpoint_id: id, origin, ...more });
  return recordAudit(tx, { tenant_id, challenge_id: null, at, actor, action, detail });
}
