import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Endpoints } from '../generated/database.ts';

/** A run's wish: its endpoint, its lease, and how many deliveries it has room for. */
export type Ask = { endpoint_id: string; token: string; want: number };
/** A delivery taken for one attempt. */
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
  /** how long it has been due, and how long ago it was made */
  due_ms: number;
  age_ms: number;
  /** the database's clock minus this process's: one clock rules leases and due times in all processes */
  db_now_ms: number;
};
/** An endpoint as its run sees it: health, how its integration wants callbacks sent, and what signs them. */
export type EndpointRow = Selectable<Endpoints> & {
  integration_name: string;
  retry_waits_s: number[] | null;
  in_flight_cap: number | null;
  headers_sealed: string | null;
  tls_sealed: string | null;
  secret_ids: string[];
  secrets_sealed: string[];
};

/** An endpoint's lease without a sign of life from its run, in seconds: one request (10 s) and as much again to write it down. */
const ENDPOINT_LEASE_S = 20;
/** A delivery's lease: it may wait for its turn within the run, then one request, then slack to write it down. */
const DELIVERY_LEASE_S = 35;
/** Of a claim, the share that later retries get beside first attempts. */
const LATE_SHARE = 5;

/**
 * Takes due deliveries for runs, for all of them in one statement. An endpoint that another run holds, or that is
 * disabled, open or paused, yields nothing. First attempts come before what people resend, and that before later retries.
 */
export async function claim(db: Db, asks: readonly Ask[]): Promise<Claimed[]> {
  const { rows } = await sql<Claimed>`
    with asked as (
      select * from unnest(${asks.map((ask) => ask.endpoint_id)}::uuid[], ${asks.map((ask) => ask.token)}::uuid[],
        ${asks.map((ask) => ask.want)}::integer[]) as asked (id, token, want)
    ), held as (
      select asked.* from asked join endpoints on endpoints.id = asked.id
      where (lease_token is null or lease_until <= now() or lease_token = asked.token)
        and disabled_at is null
        and (open_until is null or open_until <= now())
        and (paused_until is null or paused_until <= now())
      order by asked.id for no key update of endpoints
    ), picked as (
      select held.id as endpoint_id, held.token, due.id
      from held cross join lateral (
        (select * from (${dueOf(0, sql`held.want`)} union all ${dueOf(1, sql`held.want`)}) early
          order by lane, next_attempt_at limit held.want)
        union all ${dueOf(2, sql`greatest(1, held.want / ${LATE_SHARE}::integer)`)}
      ) due
    ), leased as (
      update endpoints set lease_token = held.token, lease_until = now() + ${ENDPOINT_LEASE_S} * interval '1 second'
      from held
      where endpoints.id = held.id and exists (select 1 from picked where picked.endpoint_id = held.id)
    ), taken as (
      update deliveries set status = 'sending', attempts = attempts + 1, lease_token = picked.token,
        lease_until = now() + ${DELIVERY_LEASE_S} * interval '1 second'
      from picked
      where deliveries.id = picked.id and deliveries.status = 'pending'
      returning deliveries.*
    )
    select taken.id, taken.endpoint_id, taken.event_id, events.challenge_id, events.type, events.body,
      events.traceparent, taken.url, taken.trigger, taken.lane, taken.attempts as attempt,
      exists (select 1 from gone_urls where endpoint_id = taken.endpoint_id and url = taken.url) as gone,
      extract(epoch from now() - taken.next_attempt_at)::float8 * 1000 as due_ms,
      extract(epoch from now() - taken.created_at)::float8 * 1000 as age_ms,
      extract(epoch from clock_timestamp())::float8 * 1000 as db_now_ms
    from taken join events on events.id = taken.event_id
    order by taken.lane, taken.next_attempt_at`.execute(db);
  return rows;
}

/** The due deliveries of one lane, oldest first. */
function dueOf(lane: number, limit: ReturnType<typeof sql>) {
  return sql`(select id, lane, next_attempt_at from deliveries
    where endpoint_id = held.id and status = 'pending' and lane = ${lane} and next_attempt_at <= now()
    order by next_attempt_at limit ${limit})`;
}

/** Gives deliveries back that were claimed and not begun; their attempts are not spent. */
export async function giveBack(db: Db, ids: readonly string[], token: string): Promise<void> {
  await db
    .updateTable('deliveries')
    .set({ status: 'pending', lease_token: null, lease_until: null })
    .set((eb) => ({ attempts: eb('attempts', '-', 1) }))
    .where('id', 'in', ids)
    .where('lease_token', '=', token)
    .execute();
}

/** Endpoints with all that sending to them needs; secrets that are valid now, newest first. */
export async function readEndpoints(db: Db, ids: readonly string[]): Promise<EndpointRow[]> {
  const { rows } = await sql<EndpointRow>`
    select endpoints.*, integrations.name as integration_name, retry_waits_s, in_flight_cap, headers_sealed, tls_sealed,
      coalesce(secret_ids, '{}') as secret_ids, coalesce(secrets_sealed, '{}') as secrets_sealed
    from endpoints
    join integrations on integrations.id = endpoints.integration_id
    cross join lateral (
      select array_agg(id order by id desc) as secret_ids, array_agg(sealed order by id desc) as secrets_sealed
      from callback_secrets
      where integration_id = endpoints.integration_id and (valid_until is null or valid_until > now())
    ) secrets
    where endpoints.id = any(${ids}::uuid[])`.execute(db);
  return rows;
}
