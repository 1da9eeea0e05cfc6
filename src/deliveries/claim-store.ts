import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Endpoints } from '../generated/database.ts';

/** A run that wants its endpoint for itself; `token` will be its lease. */
export type Wish = { endpoint_id: string; token: string };
/** How far a run has come in one lane: the last delivery it was given. */
export type Position = { due_at: string; id: string };
/** A run's wish for deliveries: how many it has room for, and behind which in lanes 0, 1 and 2. */
export type Ask = Wish & { want: number; after: readonly [Position, Position, Position] };
/** A due delivery, in the hands of the run that holds its endpoint. */
export type Claimed = {
  id: string;
  endpoint_id: string;
  event_id: string;
  challenge_id: string | null;
  type: string;
  /** null: deleted in the meantime */
  body: string | null;
  traceparent: string | null;
  url: string;
  /** the URL has answered 410 Gone */
  gone: boolean;
  trigger: 'event' | 'resend' | 'test';
  lane: number;
  /** this attempt's number, from 1 */
  attempt: number;
  /** when it became due, to the microsecond */
  due_at: string;
  /** what went wrong the last time, and for how long a fault of ours has kept it back (0: none did) */
  last_error_class: string | null;
  deferred_ms: number;
  /** how long it has been due, and how long ago it was made */
  due_ms: number;
  age_ms: number;
  /** the database's time: one clock rules leases and due times in all processes */
  db_now_ms: number;
};
/** An endpoint as its run sees it: health, how its integration wants callbacks sent, and what signs them. */
export type EndpointRow = Selectable<Endpoints> & {
  integration_name: string;
  retry_waits_s: number[] | null;
  in_flight_cap: number | null;
  callback_url: string | null;
  headers_sealed: string | null;
  tls_sealed: string | null;
  secret_ids: string[];
  secrets_sealed: string[];
};

/** An endpoint's lease without a sign of life from its run, in seconds: one request (10 s) and as much again to write it down. */
const LEASE_S = 20;
/** Later retries. */
export const LATE_LANE = 2;
const LATE_SHARE = 5;

/** Of so many deliveries that a run has room for, the share of later retries beside first attempts. */
export function lateShare(want: number): number {
  return Math.max(1, Math.floor(want / LATE_SHARE));
}

/**
 * Leases endpoints to runs, for all of them in one statement; of those with something due, and that nobody else holds
 * and that are not disabled, open or paused. `lapsed`: it was taken from a run that has fallen silent.
 */
export async function acquire(
  db: Db,
  wishes: readonly Wish[],
): Promise<(EndpointRow & { lapsed: boolean })[]> {
  const { rows } = await sql<EndpointRow & { lapsed: boolean }>`
    with asked as (
      select * from unnest(${wishes.map((wish) => wish.endpoint_id)}::uuid[], ${wishes.map((wish) => wish.token)}::uuid[])
        as asked (id, token)
    ), free as (
      select endpoints.id, asked.token, endpoints.lease_token is not null as lapsed
      from asked join endpoints on endpoints.id = asked.id
      where (lease_token is null or lease_until <= now()) and ${mayBeSentTo()}
        and (${isDue(0)} or ${isDue(1)} or ${isDue(2)})
      order by endpoints.id for no key update of endpoints
    ), leased as (
      update endpoints set lease_token = free.token, lease_until = now() + ${LEASE_S} * interval '1 second'
      from free where endpoints.id = free.id
      returning endpoints.*, free.lapsed
    )
    select endpoints.*, ${sendingColumns()} from leased as endpoints ${sendingTables()}`.execute(db);
  return rows;
}

/**
 * Due deliveries for runs, for all of them in one statement; none for a run that has lost its endpoint, or must not go
 * on. They are not marked, for nobody else sends to the endpoint: each run knows how far it has come. First attempts come before what people resend, and that
 * before later retries.
 */
export async function claim(db: Db, asks: readonly Ask[]): Promise<Claimed[]> {
  const { rows } = await sql<Claimed>`
    with asked as (
      select * from unnest(${asks.map((ask) => ask.endpoint_id)}::uuid[], ${asks.map((ask) => ask.token)}::uuid[],
        ${asks.map((ask) => ask.want)}::integer[], ${positionsOf(asks, 0)}, ${positionsOf(asks, 1)}, ${positionsOf(asks, 2)})
        as asked (id, token, want, due_at_0, id_0, due_at_1, id_1, due_at_2, id_2)
    )
    select due.id, due.endpoint_id, due.event_id, events.challenge_id, events.type, events.body, events.traceparent,
      due.url, due.trigger, due.lane, due.attempts + 1 as attempt,
      exists (select 1 from gone_urls where endpoint_id = due.endpoint_id and url = due.url) as gone,
      due.next_attempt_at::text as due_at, due.last_error_class,
      coalesce(extract(epoch from now() - due.deferred_since)::float8 * 1000, 0) as deferred_ms,
      extract(epoch from now() - due.next_attempt_at)::float8 * 1000 as due_ms,
      extract(epoch from now() - due.created_at)::float8 * 1000 as age_ms,
      extract(epoch from clock_timestamp())::float8 * 1000 as db_now_ms
    from asked
    join endpoints on endpoints.id = asked.id and endpoints.lease_token = asked.token and ${mayBeSentTo()}
    cross join lateral (
      (select * from (${dueOf(0)} union all ${dueOf(1)}) early
        order by lane, next_attempt_at, id limit asked.want)
      union all ${dueOf(2, sql`greatest(1, asked.want / ${LATE_SHARE}::integer)`)}
    ) due
    join events on events.id = due.event_id
    order by due.lane, due.next_attempt_at, due.id`.execute(db);
  return rows;
}

/** Endpoints with all that sending to them needs; secrets that are valid now, newest first. */
export async function readEndpoints(db: Db, ids: readonly string[]): Promise<EndpointRow[]> {
  const { rows } = await sql<EndpointRow>`
    select endpoints.*, ${sendingColumns()} from endpoints ${sendingTables()}
    where endpoints.id = any(${ids}::uuid[])`.execute(db);
  return rows;
}

function mayBeSentTo() {
  return sql`disabled_at is null
    and (open_until is null or open_until <= now()) and (paused_until is null or paused_until <= now())`;
}

function isDue(lane: number) {
  return sql`exists (select 1 from deliveries where endpoint_id = endpoints.id and status = 'pending'
    and lane = ${lane} and next_attempt_at <= now())`;
}

function positionsOf(asks: readonly Ask[], lane: 0 | 1 | 2) {
  return sql`${asks.map((ask) => ask.after[lane].due_at)}::timestamptz[], ${asks.map((ask) => ask.after[lane].id)}::uuid[]`;
}

/** The due deliveries of one lane, oldest first, behind those that the run was given. */
function dueOf(lane: number, limit = sql`asked.want`) {
  const [dueAt, id] = [sql.ref(`asked.due_at_${lane}`), sql.ref(`asked.id_${lane}`)];
  return sql`(select * from deliveries
    where endpoint_id = asked.id and status = 'pending' and lane = ${lane} and next_attempt_at <= now()
      and (next_attempt_at, id) > (${dueAt}, ${id})
    order by next_attempt_at, id limit ${limit})`;
}

function sendingColumns() {
  return sql`integrations.name as integration_name, retry_waits_s, in_flight_cap, callback_url,
    headers_sealed, tls_sealed,
    coalesce(secret_ids, '{}') as secret_ids, coalesce(secrets_sealed, '{}') as secrets_sealed`;
}

function sendingTables() {
  return sql`join integrations on integrations.id = endpoints.integration_id
    cross join lateral (
      select array_agg(id order by created_at desc, id desc) as secret_ids, array_agg(sealed order by created_at desc, id desc) as secrets_sealed
      from callback_secrets
      where integration_id = endpoints.integration_id and (valid_until is null or valid_until > now())
    ) secrets`;
}
