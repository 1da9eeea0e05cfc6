import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import { endpointOf } from '../../src/deliveries/endpoint.ts';
import { recordEvent } from '../../src/deliveries/outbox-store.ts';
import type { DB } from '../../src/generated/database.ts';
import { newId } from '../../src/kernel/id.ts';

export type Sender = { tenant_id: string; integration_id: string };

/** As long as the callback of a verified challenge with a device and some context. */
export const BODY = JSON.stringify({
  event_type: 'challenge.completed',
  challenge_id: newId(),
  status: 'verified',
  context: 'Password reset, ticket 4711. '.repeat(8),
  device_fingerprint: { browser: 'Firefox 128.0', os: 'Linux', ip: '192.0.2.7', user_agent: 'x'.repeat(90) },
  metadata: { ticket: 'INC0012345', queue: 'service-desk' },
});

/** Commits `count` events, spread over the URLs, in one transaction; returns the endpoints to wake. */
export async function commitMany(
  db: Kysely<DB>,
  { tenant_id, integration_id }: Sender,
  urls: readonly string[],
  count: number,
): Promise<string[]> {
  const endpoints = urls.map((url) => ({ url, ...endpointOf(integration_id, url) }));
  await db.transaction().execute(async (tx) => {
    await sql`insert into endpoints (id, tenant_id, integration_id, mode, origin, created_at)
      select id, ${tenant_id}, ${integration_id}, 'test', origin, now()
      from unnest(${endpoints.map((one) => one.endpoint_id)}::uuid[], ${endpoints.map((one) => one.origin)}::text[]) as one (id, origin)
      on conflict do nothing`.execute(tx);
    await sql`
      with made as (
        insert into events (id, tenant_id, mode, type, body, occurred_at)
        select uuidv7(), ${tenant_id}, 'test', 'challenge.completed', ${BODY}, now() from generate_series(1, ${count}::integer)
        returning id
      ), numbered as (select id, row_number() over () as n from made)
      insert into deliveries (id, event_id, endpoint_id, tenant_id, integration_id, url, next_attempt_at, created_at)
      select uuidv7(), numbered.id, (${endpoints.map((one) => one.endpoint_id)}::uuid[])[1 + n % ${urls.length}::integer],
        ${tenant_id}, ${integration_id}, (${urls}::text[])[1 + n % ${urls.length}::integer], now(), now()
      from numbered`.execute(tx);
  });
  // As after any load of this size: the planner knows what it deals with.
  await sql`analyze deliveries, events, endpoints`.execute(db);
  return endpoints.map((one) => one.endpoint_id);
}

/** Commits one event for one URL by the outbox, as settling a challenge does; returns its id and endpoint. */
export async function commitOne(db: Kysely<DB>, { tenant_id, integration_id }: Sender, url: string) {
  const id = newId();
  const event = {
    id,
    tenant_id,
    mode: 'test' as const,
    type: 'challenge.completed',
    body: BODY,
    occurred_at: new Date(),
  };
  await db.transaction().execute((tx) => recordEvent(tx, event, { integration_id, url }));
  return { id, endpointId: endpointOf(integration_id, url).endpoint_id };
}
