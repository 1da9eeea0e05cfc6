import type { Kysely } from 'kysely';
import type { DB } from '../generated/database.ts';
import { AppError } from '../kernel/errors.ts';
import { readEndpoints } from './claim-store.ts';
import { findBarrier, findOriginal, listAttempts, recordAudit } from './desk-store.ts';
import type { Barrier, Original, Viewer } from './desk-store.ts';
import { isSlackEvent } from './event-types.ts';
import { releaseHeld } from './hold-store.ts';
import { recordDelivery } from './outbox-store.ts';
import type { ReplayDeps } from './replay.ts';
import { callbackHeaders, routeOf } from './send.ts';
import type { SendDeps } from './send.ts';

export type PreviewDeps = SendDeps & { db: Kysely<DB>; now: () => Date };
/** A callback as it would be sent now; the values of the integration's own headers are hidden. */
export type Preview = { method: 'POST'; url: string; headers: Record<string, string>; body: string };
export type Resent = {
  delivery_id: string;
  event_id: string;
  endpoint_id: string;
  resend_of: string;
  /** what the caller should know although it is sent; left out when there is nothing */
  warnings?: string[];
};

const HIDDEN = '***';
/** What a person sends again goes after first attempts and before later retries. */
export const MANUAL_LANE = 1;

/** The viewer's delivery with its latest attempts, both as of one moment; 404 if it is not the viewer's. */
export function getDelivery(db: Kysely<DB>, id: string, viewer: Viewer) {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (tx) => {
      const delivery = await getOriginal(tx, id, viewer);
      return { delivery, attempts: await listAttempts(tx, delivery.id) };
    });
}

/** What the delivery's next attempt would send if it were made now, but for the headers of the connection; 410 when there is no body any more. */
export async function previewDelivery(deps: PreviewDeps, id: string, viewer: Viewer): Promise<Preview> {
  const original = await getOriginal(deps.db, id, viewer);
  const body = bodyOf(original);
  if (isSlackEvent(original.event_type))
    throw new AppError('conflict', 'What is done in Slack is made up when it is done; it has no preview');
  const [row] = await readEndpoints(deps.db, [original.endpoint_id]);
  if (!row || row.secrets_sealed.length === 0) {
    const cure = 'make one with `countersign secret rotate`';
    throw new AppError('conflict', `The integration has no valid callback secret; ${cure}`);
  }
  const { secrets, headers } = routeOf(deps, row);
  const { event_id, traceparent, url } = original;
  const next = { id, event_id, attempt: original.attempts + 1, traceparent, body };
  const ours = callbackHeaders({ secrets, headers: {} }, next, deps.now());
  const extra = Object.keys(headers).filter((name) => !(name.toLowerCase() in ours));
  return {
    method: 'POST',
    url,
    headers: { ...ours, ...Object.fromEntries(extra.map((name) => [name.toLowerCase(), HIDDEN])) },
    body,
  };
}

/**
 * Sends an event again: a new delivery to the same place, whatever became of the old one, which stays as it is. 404 if
 * it is not the viewer's, 409 with the cure if its endpoint is disabled, 410 when there is nothing to send any more.
 */
export async function resendDelivery(
  { db, now, wake, metrics }: ReplayDeps,
  id: string,
  viewer: Viewer,
  actor: string,
): Promise<Resent> {
  const original = await getOriginal(db, id, viewer);
  const { event_id, endpoint_id, tenant_id, mode, integration_id, url, challenge_id } = original;
  bodyOf(original);
  checkReachable(endpoint_id, await findBarrier(db, endpoint_id, url));
  const at = now();
  const event = { id: event_id, tenant_id, mode, type: original.event_type, occurred_at: at };
  const delivery_id = await db.transaction().execute(async (tx) => {
    const how = { trigger: 'resend', lane: MANUAL_LANE } as const;
    // Its bytes are as they are from now on.
    await releaseHeld(tx, [event_id]);
    const resent = await recordDelivery(tx, event, { integration_id, url }, how);
    const detail = JSON.stringify({ delivery_id: id, resent_as: resent });
    await recordAudit(tx, { tenant_id, challenge_id, at, actor, action: 'delivery_resent', detail });
    return resent;
  });
  metrics.replaysTotal.inc();
  wake([endpoint_id]);
  const warnings = original.status === 'delivered' ? { warnings: ['it was delivered before'] } : {};
  return { delivery_id, event_id, endpoint_id, resend_of: id, ...warnings };
}

/** Throws a 409 with the cure when nothing is sent there. */
export function checkReachable(endpointId: string, barrier: Barrier | undefined): void {
  const { disabled_at, disabled_reason, gone_at } = barrier ?? {};
  const cure = `enable it first: POST /api/v1/endpoints/${endpointId}/enable, or \`countersign endpoint enable --id ${endpointId}\``;
  if (disabled_at) {
    const why = disabled_reason === 'operator' ? 'by an operator' : 'after failing for days';
    throw new AppError(
      'conflict',
      `The endpoint was disabled ${why} at ${disabled_at.toISOString()}; ${cure}`,
    );
  }
  if (gone_at)
    throw new AppError('conflict', `The URL answered 410 Gone at ${gone_at.toISOString()}; ${cure}`);
}

async function getOriginal(db: Kysely<DB>, id: string, viewer: Viewer): Promise<Original> {
  const original = await findOriginal(db, viewer, id);
  if (!original) throw new AppError('not_found', 'Delivery not found');
  return original;
}

function bodyOf({ body, erased_at, last_ended_at }: Original): string {
  if (body !== null) return body;
  const when = erased_at
    ? `at ${erased_at.toISOString()}, when the personal data of its challenge was erased`
    : `some days after its last delivery ended${last_ended_at ? `, at ${last_ended_at.toISOString()}` : ''}, as BODY_RETENTION_DAYS says`;
  throw new AppError('gone', `The body of this event was deleted ${when}; it cannot be sent again`);
}
