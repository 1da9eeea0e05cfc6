import type { Kysely } from 'kysely';
import type { DB } from '../generated/database.ts';
import { invalid } from '../kernel/errors.ts';
import { newId } from '../kernel/id.ts';
import { checkReachable, MANUAL_LANE } from './desk.ts';
import { findBarrier, recordAudit } from './desk-store.ts';
import { endpointOf } from './endpoint.ts';
import { TEST_EVENT } from './event-types.ts';
import { insertEvent, recordDelivery } from './outbox-store.ts';

export type TestDeps = {
  db: Kysely<DB>;
  now: () => Date;
  wake: (endpointIds: readonly string[]) => void;
  /** throws a 400 for a URL that the mode may not call */
  checkCallbackUrl: (url: string, mode: 'test' | 'live', field: string) => void;
};
/** The integration that asks, and its own URL. */
export type Tester = {
  tenant_id: string;
  integration_id: string;
  mode: 'test' | 'live';
  callback_url: string | null;
};

const MESSAGE = 'Somebody asked whether callbacks arrive here. They do; there is nothing else to do.';

/**
 * Sends an event that means nothing to a URL, or to the integration's own, the way every callback is sent; the
 * delivery tells what came of it. 400 without a URL or for one that may not be called, 409 if its endpoint is disabled.
 */
export async function sendTest(
  { db, now, wake, checkCallbackUrl }: TestDeps,
  { tenant_id, integration_id, mode, callback_url }: Tester,
  wanted: string | undefined,
  actor: string,
): Promise<{ delivery_id: string; endpoint_id: string }> {
  const url = wanted ?? callback_url;
  if (url === null)
    throw invalid('callback_url is needed: the integration has no callback URL of its own', 'callback_url');
  checkCallbackUrl(url, mode, 'callback_url');
  const { endpoint_id } = endpointOf(integration_id, url);
  checkReachable(endpoint_id, await findBarrier(db, endpoint_id, url));
  const at = now();
  const id = newId();
  const body = {
    ...{ event_type: TEST_EVENT, event_id: id, occurred_at: at.toISOString() },
    ...{ mode, integration_id, message: MESSAGE },
  };
  const event = {
    ...{ id, tenant_id, mode, type: TEST_EVENT },
    ...{ occurred_at: at, body: JSON.stringify(body) },
  };
  const delivery_id = await db.transaction().execute(async (tx) => {
    await insertEvent(tx, event);
    const how = { trigger: 'test', lane: MANUAL_LANE } as const;
    const made = await recordDelivery(tx, event, { integration_id, url }, how);
    const detail = JSON.stringify({ endpoint_id, delivery_id: made });
    await recordAudit(tx, { tenant_id, challenge_id: null, at, actor, action: 'endpoint_tested', detail });
    return made;
  });
  wake([endpoint_id]);
  return { delivery_id, endpoint_id };
}
