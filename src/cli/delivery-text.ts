import { isSlackEvent } from '../deliveries/event-types.ts';
import type { presentDelivery, presentDeliveryDetail } from '../deliveries/present.ts';
import type { Replayed } from '../deliveries/replay.ts';
import { printable } from './desk.ts';

type Shown = ReturnType<typeof presentDelivery>;
type Detail = ReturnType<typeof presentDeliveryDetail>;
type Attempt = Detail['attempts'][number];

/** A delivery on two lines: when, what became of it and why; then what and where. */
export function listed(delivery: Shown): string {
  const { created_at, delivery_id, event_type, trigger } = delivery;
  const how = trigger === 'event' ? '' : ` (${trigger})`;
  return `${created_at}  ${delivery_id}  ${standing(delivery)}\n  ${event_type}${how} to ${placeOf(delivery)}`;
}

/** A delivery and each of its attempts, as an operator reads them. */
export function shown(detail: Detail): string {
  const { attempts, challenge_id, body_deleted } = detail;
  const lines = isSlackEvent(detail.event_type) ? callLines : attemptLines;
  return [
    `Delivery     ${detail.delivery_id} (${detail.mode} mode, ${detail.trigger})`,
    `Event        ${detail.event_id} ${detail.event_type}`,
    ...(challenge_id ? [`Challenge    ${challenge_id}`] : []),
    `Integration  ${detail.integration_id}`,
    `Endpoint     ${detail.endpoint_id}`,
    `To           ${placeOf(detail)}`,
    `Made         ${detail.created_at}`,
    `Status       ${standing(detail)}`,
    ...(detail.completed_at ? [`Ended        ${detail.completed_at}`] : []),
    ...(body_deleted ? ['Body         deleted; it cannot be sent again'] : []),
    '',
    ...(attempts.length === 0 ? ['No attempt is on record.'] : attempts.flatMap(lines)),
  ].join('\n');
}

/** What one attempt came to, in a few lines. */
export function attemptLines(attempt: Attempt): string[] {
  const { duration_ms, dns_ms, connect_ms, first_byte_ms, remote_address } = attempt;
  const parts = Object.entries({ dns: dns_ms, connect: connect_ms, 'first byte': first_byte_ms })
    .filter(([, ms]) => ms !== null)
    .map(([name, ms]) => `${name} ${ms}`);
  const timing = parts.length > 0 ? ` (${parts.join(', ')})` : '';
  const from = remote_address ? ` by ${remote_address}` : '';
  const { error_message, response_excerpt } = attempt;
  return [
    `Attempt ${attempt.attempt}    ${attempt.started_at}  ${resultOf(attempt)}${from}, ${duration_ms} ms${timing}`,
    ...(error_message ? [`  why        ${printable(error_message)}`] : []),
    ...(response_excerpt ? [`  answer     ${printable(response_excerpt)}`] : []),
  ];
}

/** The same of what was done in Slack, where the address is always the same, and a refusal comes with 200. */
function callLines({ attempt, started_at, duration_ms, ...result }: Attempt): string[] {
  const { error_class, error_message, status_code, response_excerpt } = result;
  const done = error_class ?? (status_code === null ? 'nothing to do' : 'done');
  return [
    `Attempt ${attempt}    ${started_at}  ${done}, ${duration_ms} ms`,
    ...(error_message ? [`  why        ${printable(error_message)}`] : []),
    ...(response_excerpt ? [`  note       ${printable(response_excerpt)}`] : []),
  ];
}

/** What a replay found and did; a dry run says that it was one, and how to go on. */
export function replayText(found: Replayed): string {
  const { dry_run, replayable, finishes_in_seconds, capped } = found;
  const lines = [
    `Matching               ${found.matching}`,
    `  can be sent again    ${replayable}`,
    `  sent again already   ${found.already_resent}`,
    `  endpoint disabled    ${found.on_disabled_endpoint}${found.on_disabled_endpoint > 0 ? '  (see `countersign endpoint list`; enable it first)' : ''}`,
    `  body deleted         ${found.without_body}`,
    '',
  ];
  const more = capped ? ' There are more than --limit: run it again for the rest.' : '';
  if (dry_run)
    lines.push(
      replayable > 0
        ? `DRY RUN: nothing was sent. With --yes, sending takes about ${finishes_in_seconds} s.${more}`
        : 'DRY RUN: nothing was sent, and there is nothing to send.',
    );
  else
    lines.push(
      `Sending ${found.replayed} again; the last goes out in about ${finishes_in_seconds} s.${more}`,
    );
  return lines.join('\n');
}

/** Where it goes; for Slack, the address says nothing. */
function placeOf({ event_type, url }: Shown): string {
  return isSlackEvent(event_type) ? 'Slack' : printable(url);
}

function standing(delivery: Shown): string {
  const { status, dead_reason, attempt_count, next_attempt_at } = delivery;
  const last = lastOf(delivery);
  return [
    `${status}${dead_reason ? ` (${dead_reason})` : ''}`,
    `${attempt_count} attempt${attempt_count === 1 ? '' : 's'}`,
    ...(last === null ? [] : [`last: ${last}`]),
    ...(next_attempt_at === null ? [] : [`next: ${next_attempt_at}`]),
  ].join(', ');
}

function lastOf({ event_type, last_status_code, last_error_class }: Shown): string | null {
  const isAnswer = last_status_code !== null && !isSlackEvent(event_type);
  return isAnswer ? `HTTP ${last_status_code}` : last_error_class;
}

function resultOf({ status_code, error_class }: Attempt): string {
  return status_code === null ? (error_class ?? 'unknown') : `HTTP ${status_code}`;
}
