import type { Claimed, EndpointRow } from './claim-store.ts';
import type { Turn } from './breaker.ts';
import type { Conclusion } from './conclude.ts';
import { CHALLENGE_EVENTS, isSlackEvent } from './event-types.ts';
import type { OperationsEvent } from './event-types.ts';
import type { Attempt } from './send.ts';

/** News for the people who operate a tenant's callbacks, about one of its integrations. */
export type Announcement = {
  type: OperationsEvent;
  tenant_id: string;
  mode: 'test' | 'live';
  integration_id: string;
  integration_name: string;
  endpoint?: { endpoint_id: string; origin: string };
  /** what else the event's body says */
  detail: { [name: string]: string | number | null };
};

const TYPE_OF_TURN: Partial<Record<Turn['turn'], OperationsEvent>> = {
  opened: 'endpoint.opened',
  recovered: 'endpoint.recovered',
  disabled: 'endpoint.disabled',
  failing: 'endpoint.failing',
};

/** What operators should hear of an attempt's end: turns of the endpoint, a fourth failure, a delivery given up. */
export function announcementsOf(
  row: EndpointRow,
  claimed: Claimed,
  attempt: Attempt,
  { verdict, turns, health, failing, gone }: Conclusion,
): Announcement[] {
  const about = aboutEndpoint(row);
  const found = turns.flatMap((turn): Announcement[] => {
    const type = TYPE_OF_TURN[turn.turn];
    // Every failed probe opens the breaker again; the first time is news.
    if (!type || (turn.turn === 'opened' && health.opened_times > 1)) return [];
    return [{ ...about, type, detail: turn.turn === 'failing' ? { percent: turn.percent } : {} }];
  });
  if (gone) found.push({ ...about, type: 'endpoint.gone', detail: { url: claimed.url } });
  // News of news that did not arrive would never end.
  if (!CHALLENGE_EVENTS.some((type) => type === claimed.type) && !isSlackEvent(claimed.type)) return found;
  const delivery = {
    delivery_id: claimed.id,
    failed_event_id: claimed.event_id,
    challenge_id: claimed.challenge_id,
    attempts: claimed.attempt,
    status_code: attempt.status_code,
    error_class: attempt.error_class,
  };
  if (verdict.next === 'dead') {
    found.push({ ...about, type: 'delivery.dead', detail: { ...delivery, reason: verdict.reason } });
  } else if (failing) found.push({ ...about, type: 'delivery.failing', detail: delivery });
  return found;
}

/** The part of an announcement that says which endpoint it is about. */
export function aboutEndpoint(
  row: Pick<EndpointRow, 'id' | 'tenant_id' | 'mode' | 'origin' | 'integration_id' | 'integration_name'>,
): Omit<Announcement, 'type' | 'detail'> {
  const { id, tenant_id, mode, origin, integration_id, integration_name } = row;
  return {
    ...{ tenant_id, mode, integration_id, integration_name },
    endpoint: { endpoint_id: id, origin },
  };
}
