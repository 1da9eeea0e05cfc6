import { stateOf } from './breaker.ts';
import type { DeliveryRow } from './desk-store.ts';
import type { getDelivery } from './desk.ts';
import type { SeenEndpoint } from './endpoint-store.ts';

/** A delivery as lists show it. */
export function presentDelivery(row: DeliveryRow) {
  return {
    delivery_id: row.id,
    event_id: row.event_id,
    event_type: row.event_type,
    challenge_id: row.challenge_id,
    integration_id: row.integration_id,
    endpoint_id: row.endpoint_id,
    mode: row.mode,
    url: row.url,
    trigger: row.trigger,
    status: row.status,
    attempt_count: row.attempts,
    next_attempt_at: row.status === 'pending' ? row.next_attempt_at.toISOString() : null,
    last_status_code: row.last_status_code,
    last_error_class: row.last_error_class,
    dead_reason: row.dead_reason,
    created_at: row.created_at.toISOString(),
    completed_at: row.completed_at?.toISOString() ?? null,
    body_deleted: row.body_deleted,
  };
}

/** A delivery with what became of each attempt. */
export function presentDeliveryDetail({ delivery, attempts }: Awaited<ReturnType<typeof getDelivery>>) {
  return {
    ...presentDelivery(delivery),
    attempts: attempts.map((one) => ({
      attempt: one.attempt,
      url: one.url,
      started_at: one.started_at.toISOString(),
      duration_ms: one.duration_ms,
      dns_ms: one.dns_ms,
      connect_ms: one.connect_ms,
      first_byte_ms: one.first_byte_ms,
      status_code: one.status_code,
      error_class: one.error_class,
      error_message: one.error_message,
      response_excerpt: one.response_excerpt,
      remote_address: one.remote_address,
    })),
  };
}

/** An endpoint and how it is at `now`. */
export function presentEndpoint(row: SeenEndpoint, now: Date) {
  const iso = (time: Date | null) => time?.toISOString() ?? null;
  return {
    endpoint_id: row.id,
    integration_id: row.integration_id,
    integration_name: row.integration_name,
    mode: row.mode,
    origin: row.origin,
    state: stateOf(row, now),
    open_until: iso(row.open_until),
    paused_until: iso(row.paused_until),
    failing_since: iso(row.failing_since),
    last_success_at: iso(row.last_success_at),
    consecutive_failures: row.consecutive_failures,
    disabled_at: iso(row.disabled_at),
    disabled_reason: row.disabled_reason,
    gone_urls: row.gone_urls,
    pending: row.pending,
    dead_since_disabled: row.dead_since_disabled,
  };
}
