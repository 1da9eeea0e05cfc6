import { sql } from 'kysely';
import type { Insertable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { DeliveryAttempts } from '../generated/database.ts';
import type { Health } from './breaker.ts';

/** The end of one attempt, or of a delivery that needed none (`attempt` undefined). `token` is its run's lease on the endpoint. */
export type Result = {
  delivery_id: string;
  token: string;
  status: 'delivered' | 'dead' | 'pending';
  dead_reason: string | null;
  /** the wait before the next attempt; null when there is none */
  wait_ms: number | null;
  /** a fault of ours kept it back */
  deferred: boolean;
  lane: number;
  /** the attempts spent before, and with this one unless it was deferred */
  before: number;
  attempts: number;
  attempt: Omit<Insertable<DeliveryAttempts>, 'delivery_id'> | undefined;
};
/** An endpoint's health after that, by the run that holds it; it is released at once, or if nothing more is due, or kept. */
export type EndpointState = {
  endpoint_id: string;
  token: string;
  health: Health;
  release: 'now' | 'if_done' | 'no';
};
/** One URL that answered 410. */
export type Gone = { endpoint_id: string; url: string };
export type Finished = {
  /** deliveries whose results are not written: they were canceled, or their run had lost its endpoint */
  lost: ReadonlySet<string>;
  /** tokens of the runs that still hold their endpoint: not released because more is due, or not asked to be */
  held: ReadonlySet<string>;
};

const ENDPOINT_LEASE_S = 20;

/**
 * Writes many results in one statement: deliveries move on and attempts are kept only where the run still holds its
 * endpoint and nobody has counted the same attempt before; endpoints get their new health and are released, unless more
 * has come due. To write twice what was written does no harm.
 */
export async function finish(
  db: Db,
  results: readonly Result[],
  endpoints: readonly EndpointState[],
  gone: readonly Gone[],
): Promise<Finished> {
  const states = endpoints.map(({ health, ...rest }) => ({ ...rest, ...health }));
  const flat = results.map(flatten);
  const { rows } = await sql<{ kind: 'lost' | 'held'; id: string }>`
    with result as (
      select * from json_to_recordset(${JSON.stringify(flat)}::json) as result (delivery_id uuid, token uuid, status text,
        dead_reason text, wait_ms bigint, deferred boolean, lane smallint, before integer, attempts integer, tried boolean, attempt integer, url text,
        started_at timestamptz, duration_ms integer, dns_ms integer, connect_ms integer, first_byte_ms integer,
        status_code integer, error_class text, error_message text, response_excerpt text, remote_address text)
    ), state as (
      select * from json_to_recordset(${JSON.stringify(states)}::json) as state (endpoint_id uuid, token uuid,
        release text, window_started_at timestamptz, window_attempts integer, window_failures integer,
        consecutive_failures integer, consecutive_unreachable integer, failing_since timestamptz,
        last_success_at timestamptz, open_until timestamptz, opened_times integer, probe_successes integer,
        paused_until timestamptz, announced_percent integer, disabled_at timestamptz, disabled_reason text)
    ), owned as (
      -- in the order in which leases are taken, or the two would wait for each other
      select endpoints.id, endpoints.lease_token as token
      from endpoints join state on state.endpoint_id = endpoints.id and state.token = endpoints.lease_token
      order by endpoints.id for no key update of endpoints
    ), finished as (
      update deliveries set status = result.status, dead_reason = result.dead_reason, lane = result.lane,
        attempts = result.attempts,
        last_status_code = case when tried then result.status_code else last_status_code end,
        last_error_class = case when tried then result.error_class else last_error_class end,
        deferred_since = case when result.deferred then coalesce(deferred_since, now()) end,
        next_attempt_at = case when result.wait_ms is null then next_attempt_at
          else now() + result.wait_ms * interval '1 millisecond' end,
        completed_at = case when result.status = 'pending' then null else now() end
      from result join owned on owned.token = result.token
      where deliveries.id = result.delivery_id and deliveries.status = 'pending'
        and deliveries.attempts = result.before
      returning deliveries.id
    ), kept as (
      insert into delivery_attempts (delivery_id, attempt, url, started_at, duration_ms, dns_ms, connect_ms,
        first_byte_ms, status_code, error_class, error_message, response_excerpt, remote_address)
      select delivery_id, attempt, url, started_at, duration_ms, dns_ms, connect_ms,
        first_byte_ms, status_code, error_class, error_message, response_excerpt, remote_address
      from result join finished on finished.id = result.delivery_id
      where tried
      on conflict do nothing
    ), ended as (
      insert into gone_urls (endpoint_id, url, gone_at)
      select endpoint_id, url, now() from json_to_recordset(${JSON.stringify(gone)}::json) as gone (endpoint_id uuid, url text)
      on conflict do nothing
    ), written as (
      update endpoints set window_started_at = state.window_started_at, window_attempts = state.window_attempts,
        window_failures = state.window_failures, consecutive_failures = state.consecutive_failures,
        consecutive_unreachable = state.consecutive_unreachable, failing_since = state.failing_since,
        last_success_at = state.last_success_at, open_until = state.open_until, opened_times = state.opened_times,
        probe_successes = state.probe_successes, paused_until = state.paused_until,
        announced_percent = state.announced_percent,
        disabled_at = coalesce(endpoints.disabled_at, state.disabled_at),
        disabled_reason = coalesce(endpoints.disabled_reason, state.disabled_reason),
        lease_token = case when release = 'now'
            or release = 'if_done' and not ${moreDue(0)} and not ${moreDue(1)} and not ${moreDue(2)}
          then null else endpoints.lease_token end,
        lease_until = now() + ${ENDPOINT_LEASE_S} * interval '1 second'
      from state join owned on owned.token = state.token
      where endpoints.id = state.endpoint_id
      returning state.token, endpoints.lease_token
    )
    select 'lost' as kind, delivery_id as id from result where delivery_id not in (select id from finished)
    union all select 'held', token from written where lease_token is not null`.execute(db);
  const of = (kind: 'lost' | 'held') => new Set(rows.filter((row) => row.kind === kind).map((row) => row.id));
  return { lost: of('lost'), held: of('held') };
}

/** One row of what is written; what is left out is null, which halves the text for most. */
function flatten({ attempt, ...result }: Result): object {
  const row: { [column: string]: unknown } = { tried: attempt !== undefined };
  for (const part of [result, attempt ?? {}]) {
    for (const [column, value] of Object.entries(part)) if (value !== null) row[column] = value;
  }
  return row;
}

/** Whether a lane of the endpoint has something due besides what is being written. */
function moreDue(lane: number) {
  return sql`exists (select 1 from deliveries
    where deliveries.endpoint_id = endpoints.id and deliveries.status = 'pending' and deliveries.lane = ${lane}
      and deliveries.next_attempt_at <= now() and deliveries.id not in (select delivery_id from result))`;
}
