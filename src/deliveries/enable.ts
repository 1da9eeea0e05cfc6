import type { Kysely, Transaction } from 'kysely';
import type { DB } from '../generated/database.ts';
import { AppError } from '../kernel/errors.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { announce } from './announce-store.ts';
import { aboutEndpoint } from './announce.ts';
import { stateOf } from './breaker.ts';
import { recordAudit } from './desk-store.ts';
import type { Viewer } from './desk-store.ts';
import { BARRED, findEndpoint, forgetGone, lockHealth, markDisabled, markEnabled } from './endpoint-store.ts';
import type { SeenEndpoint } from './endpoint-store.ts';
import { DEFAULT_RATE, MAX_REPLAY } from './input.ts';
import { replayDeliveries } from './replay.ts';
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
 * because it was disabled, or a URL of it gone, is sent again. An endpoint that nothing holds up is left alone. If the
 * replay fails, the endpoint is enabled all the same, and the error says how to repeat it.
 */
export async function enableEndpoint(
  deps: EnableDeps,
  id: string,
  viewer: Viewer,
  actor: string,
  { replay }: { replay: boolean },
): Promise<Enabled> {
  const endpoint = await getEndpoint(deps.db, id, viewer);
  const barredSince = await enableNow(deps, endpoint, actor);
  // On its own: a replay may wait for another one, and results must not wait with it for the endpoint's row.
  const { replayed, capped } =
    replay && barredSince ? await replaySince(deps, id, viewer, actor, barredSince) : NOTHING;
  return { endpoint: await getEndpoint(deps.db, id, viewer), replayed, capped };
}

const NOTHING = { replayed: 0, capped: false };

/** Returns since when the endpoint, or a URL of it, was not sent to; null when nothing was disabled. */
async function enableNow(
  { db, now, wake }: EnableDeps,
  endpoint: SeenEndpoint,
  actor: string,
): Promise<Date | null> {
  const { id } = endpoint;
  const done = await db.transaction().execute(async (tx) => {
    const { health, barred_since } = await lockHealth(tx, id);
    const was = stateOf(health, now());
    const isSentTo = was === 'healthy' || was === 'failing';
    if (isSentTo && barred_since === null) return undefined;
    // A run that sends to its other URLs keeps its lease: another would send the same once more.
    if (!isSentTo) await markEnabled(tx, id, health);
    await forgetGone(tx, id);
    await audit(tx, endpoint, now(), actor, 'endpoint_enabled', { was });
    const news = { ...aboutEndpoint(endpoint), type: 'endpoint.enabled', detail: {} } as const;
    return { barred_since, woken: barred_since ? await announce(tx, news, now()) : [] };
  });
  if (done) wake([id, ...done.woken]);
  return done?.barred_since ?? null;
}

async function replaySince(deps: EnableDeps, id: string, viewer: Viewer, actor: string, since: Date) {
  const filter = { status: 'dead', endpoint_id: id, dead_reasons: BARRED, ended_since: since } as const;
  const wish = { filter, dryRun: false, limit: MAX_REPLAY, ratePerSecond: DEFAULT_RATE };
  try {
    return await replayDeliveries(deps, viewer, wish, actor);
  } catch (cause) {
    const cure = `POST /api/v1/deliveries/replay, or \`countersign delivery replay --endpoint ${id} --yes\``;
    const message = `The endpoint is enabled, but the replay failed; repeat it with ${cure}`;
    throw Object.assign(new AppError('unavailable', message), { cause });
  }
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
