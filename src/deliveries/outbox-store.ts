import { sql } from 'kysely';
import type { Insertable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Events } from '../generated/database.ts';
import { newId } from '../kernel/id.ts';
import { endpointOf } from './endpoint.ts';
import { isSlackEvent } from './event-types.ts';
import { HELD_LANE } from './hold-store.ts';

/** One place an event is to be sent to. */
export type Destination = { integration_id: string; url: string };

/**
 * The outbox: writes an event and, if its integration wants such events and there is an URL, its delivery, within the
 * caller's transaction. A disabled endpoint's delivery is dead from the start, and so visible and replayable. `heldMs`:
 * for so long it may be rewritten, and is not sent.
 */
export async function recordEvent(
  tx: Db,
  event: Insertable<Events>,
  { integration_id, url }: { integration_id: string; url: string | null },
  heldMs = 0,
): Promise<void> {
  await insertEvent(tx, event);
  const lane = heldMs > 0 ? HELD_LANE : 0;
  if (url !== null)
    await recordDelivery(tx, event, { integration_id, url }, { trigger: 'event', lane, heldMs });
}

/** Writes an event that goes to no place, or to places yet to be recorded. */
export async function insertEvent(tx: Db, event: Insertable<Events>): Promise<void> {
  await tx.insertInto('events').values(event).execute();
}

/** Writes one delivery of an event; only if the integration chose this type, unless a person asks for it. Returns its id. */
export async function recordDelivery(
  tx: Db,
  event: Pick<Insertable<Events>, 'id' | 'tenant_id' | 'mode' | 'type' | 'occurred_at'>,
  { integration_id, url }: Destination,
  { trigger, lane, heldMs = 0 }: { trigger: 'event' | 'resend' | 'test'; lane: number; heldMs?: number },
): Promise<string> {
  const id = newId();
  const { endpoint_id, origin } = endpointOf(integration_id, url);
  const chosen =
    trigger === 'event' && !isSlackEvent(event.type)
      ? sql`${event.type} = any(integrations.events)`
      : sql`true`;
  await sql`
    with wanted as (
      select id from integrations where id = ${integration_id} and ${chosen}
    ), made as (
      insert into endpoints (id, tenant_id, integration_id, mode, origin, created_at)
      select ${endpoint_id}, ${event.tenant_id}, wanted.id, ${event.mode}, ${origin}, ${event.occurred_at} from wanted
      on conflict do nothing
    ), state as (
      select coalesce((select true from endpoints where id = ${endpoint_id} and disabled_at is not null), false) as disabled
    )
    insert into deliveries (id, event_id, endpoint_id, tenant_id, integration_id, url, trigger, lane,
      status, dead_reason, completed_at, next_attempt_at, created_at)
    select ${id}, ${event.id}, ${endpoint_id}, ${event.tenant_id}, wanted.id, ${url}, ${trigger}, ${lane},
      case when disabled then 'dead' else 'pending' end,
      case when disabled then 'endpoint_disabled' end,
      case when disabled then ${event.occurred_at}::timestamptz end,
      now() + ${heldMs}::integer * interval '1 millisecond', ${event.occurred_at}
    from wanted, state`.execute(tx);
  return id;
}
