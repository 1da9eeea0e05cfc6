import { sql } from 'kysely';
import type { Db } from '../db/database.ts';
import { newId } from '../kernel/id.ts';
import type { Announcement } from './announce.ts';
import { endpointOf } from './endpoint.ts';
import { insertEvent, recordDelivery } from './outbox-store.ts';
import type { Destination } from './outbox-store.ts';

/** Of the same endpoint, these are announced at most once an hour. */
const HOURLY = { 'delivery.dead': 'dead_announced_at', 'delivery.failing': 'failing_announced_at' } as const;

/**
 * Writes an announcement as an event, with a delivery for each integration of the tenant that chose it, but never to the
 * integration it is about. Returns the endpoints to wake; none when nobody listens.
 */
export async function announce(tx: Db, news: Announcement, at: Date): Promise<string[]> {
  const destinations = await findSubscribers(tx, news);
  if (destinations.length === 0 || !(await isTimely(tx, news))) return [];
  const id = newId();
  const { tenant_id, mode, type } = news;
  const event = { id, tenant_id, mode, type, occurred_at: at, body: bodyOf(id, news, at) };
  await insertEvent(tx, event);
  for (const destination of destinations)
    await recordDelivery(tx, event, destination, { trigger: 'event', lane: 0 });
  return destinations.map(({ integration_id, url }) => endpointOf(integration_id, url).endpoint_id);
}

function bodyOf(
  id: string,
  { type, mode, integration_id, integration_name, ...rest }: Announcement,
  at: Date,
) {
  return JSON.stringify({
    event_type: type,
    event_id: id,
    occurred_at: at.toISOString(),
    mode,
    integration_id,
    integration_name,
    ...rest.endpoint,
    ...rest.detail,
  });
}

async function findSubscribers(tx: Db, news: Announcement): Promise<Destination[]> {
  const rows = await tx
    .selectFrom('integrations')
    .select(['id', 'callback_url'])
    .where('tenant_id', '=', news.tenant_id)
    .where('mode', '=', news.mode)
    .where('id', '<>', news.integration_id)
    .where('callback_url', 'is not', null)
    .where(sql<boolean>`${news.type} = any(events)`)
    .execute();
  return rows.map(({ id, callback_url }) => ({ integration_id: id, url: callback_url ?? '' }));
}

async function isTimely(tx: Db, { type, endpoint }: Announcement): Promise<boolean> {
  if (!(type in HOURLY) || !endpoint) return true;
  const column = HOURLY[type as keyof typeof HOURLY];
  const { numUpdatedRows } = await tx
    .updateTable('endpoints')
    .set({ [column]: sql<Date>`now()` })
    .where('id', '=', endpoint.endpoint_id)
    .where((eb) => eb.or([eb(column, 'is', null), eb(column, '<', sql<Date>`now() - interval '1 hour'`)]))
    .executeTakeFirstOrThrow();
  return Number(numUpdatedRows) > 0;
}
