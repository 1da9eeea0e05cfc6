import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Claimed, EndpointRow } from './claim-store.ts';
import type { Conclusion } from './conclude.ts';
import { isSlackEvent } from './event-types.ts';
import type { Relay } from './relay.ts';
import type { Attempt } from './send.ts';

/** What follows a written attempt: one log line, the counters, and the job for the next attempt. */
export function reporter({
  log,
  metrics,
  relay,
}: {
  log: Log;
  metrics: Metrics;
  relay: Pick<Relay, 'schedule'>;
}) {
  // These lines are made here, of fields that hold no secret; looking for some costs as much as all else about a line.
  const plainLog = log.child({}, { redact: [] });
  return (row: EndpointRow, claimed: Claimed, attempt: Attempt, end: Conclusion, kept: boolean): void => {
    metrics.attemptsTotal.inc({ error_class: attempt.error_class ?? 'none' });
    metrics.attemptDurationSeconds.observe(attempt.duration_ms / 1_000);
    metrics.pickupLagSeconds.observe(Math.max(0, claimed.due_ms) / 1_000);
    if (attempt.error_class === 'ssrf_refused')
      metrics.ssrfRefusedTotal.inc({ rule: attempt.rule ?? 'unknown' });
    if (attempt.error_class === 'http_3xx') metrics.redirectsRefusedTotal.inc();
    logAttempt(plainLog, claimed, attempt, kept ? end.verdict.next : 'lease_lost');
    if (!kept) return metrics.staleFinishTotal.inc();
    count(metrics, claimed, attempt, end);
    logTurns(log, metrics, row, end);
    const { result } = end;
    if (result.wait_ms !== null) {
      relay.schedule(row.id, { ...result, wait_ms: result.wait_ms });
    }
  };
}

function count(metrics: Metrics, claimed: Claimed, attempt: Attempt, { verdict }: Conclusion): void {
  const outcome = verdict.next === 'defer' ? 'deferred' : verdict.next;
  metrics.deliveriesTotal.inc({ outcome });
  if (verdict.next === 'dead') metrics.givenUpTotal.inc({ reason: verdict.reason });
  if (verdict.next === 'delivered')
    metrics.firstSuccessLatencySeconds.observe((Math.max(0, claimed.age_ms) + attempt.duration_ms) / 1_000);
}

function logAttempt(log: Log, claimed: Claimed, attempt: Attempt, next: string): void {
  const line = {
    delivery_id: claimed.id,
    event_id: claimed.event_id,
    challenge_id: claimed.challenge_id,
    endpoint_id: claimed.endpoint_id,
    attempt: claimed.attempt,
    trigger: claimed.trigger,
    status_code: attempt.status_code,
    error_class: attempt.error_class,
    duration_ms: attempt.duration_ms,
    next,
  };
  const what = isSlackEvent(claimed.type) ? claimed.type : 'callback';
  if (next === 'delivered') log.info(line, `${what} delivered`);
  else log.warn({ ...line, reason: attempt.error_message }, `${what} not delivered`);
}

const TRANSITIONS: { [turn: string]: string } = { opened: 'open', half_open: 'half_open', closed: 'closed' };

function logTurns(log: Log, metrics: Metrics, row: EndpointRow, { turns, health, gone }: Conclusion): void {
  const about = { endpoint_id: row.id, integration_id: row.integration_id, origin: row.origin };
  for (const { turn } of turns) {
    if (TRANSITIONS[turn]) metrics.breakerTransitionsTotal.inc({ to: TRANSITIONS[turn] });
    if (turn === 'disabled') metrics.endpointsDisabledTotal.inc({ reason: 'failing' });
    if (turn === 'opened')
      log.warn({ ...about, until: health.open_until }, 'an endpoint fails; what is due there waits');
    if (turn === 'recovered') log.info(about, 'an endpoint answers again');
    if (turn === 'disabled') log.error(about, 'an endpoint has failed for five days and is disabled');
    if (turn === 'failing')
      log.warn({ ...about, since: health.failing_since }, 'an endpoint goes on failing');
  }
  if (gone) log.warn(about, 'a callback URL answered 410 Gone and is disabled');
}
