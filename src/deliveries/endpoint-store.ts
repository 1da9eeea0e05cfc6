import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Endpoints } from '../generated/database.ts';
import { enabled } from './breaker.ts';
import type { Health } from './breaker.ts';
import type { Viewer } from './desk-store.ts';
import type { DeadReason } from './schedule.ts';

/** An endpoint as people see it. */
export type SeenEndpoint = Selectable<Endpoints> & {
  integration_name: string;
  /** URLs that answered 410, the latest first; at most 100 */
  gone_urls: { url: string; gone_at: string }[];
  /** both counted up to 10,000 */
  pending: number;
  dead_since_disabled: number;
};

/** What a delivery dies of because its endpoint or URL is disabled. */
export const BARRED: readonly DeadReason[] = ['endpoint_disabled', 'gone'];

const MAX_COUNTED = 10_000;
const MAX_GONE_SHOWN = 100;
/** Deliveries that were made while the endpoint was being disabled bear the time of their event. */
const SLACK_S = 60;
const HEALTH = [
  ...(['window_started_at', 'window_attempts', 'window_failures', 'consecutive_failures'] as const),
  ...(['consecutive_unreachable', 'failing_since', 'last_success_at', 'open_until', 'opened_times'] as const),
  ...(['probe_successes', 'paused_until', 'announced_percent', 'disabled_at', 'disabled_reason'] as const),
] as const;

/** One page of endpoints, in the order of their ids. */
export function listEndpoints(
  db: Db,
  viewer: Viewer,
  { limit, after }: { limit: number; after: string | undefined },
): Promise<SeenEndpoint[]> {
  return select(db, viewer, after === undefined ? sql`true` : sql`e.id > ${after}`, limit);
}

/** The viewer's endpoint with this id. */
export async function findEndpoint(db: Db, viewer: Viewer, id: string): Promise<SeenEndpoint | undefined> {
  const [endpoint] = await select(db, viewer, sql`e.id = ${id}`, 1);
  return endpoint;
}

async function select(db: Db, viewer: Viewer, condition: ReturnType<typeof sql>, limit: number) {
  const { rows } = await sql<SeenEndpoint>`
    select e.*, integrations.name as integration_name, coalesce(gone.urls, '[]') as gone_urls,
      (select count(*)::integer from (
        select from deliveries d where d.endpoint_id = e.id and d.status = 'pending' limit ${MAX_COUNTED}) counted
      ) as pending,
      (select count(*)::integer from (
        select from deliveries d
        where d.tenant_id = e.tenant_id and d.endpoint_id = e.id and d.status = 'dead'
          and d.dead_reason = any(${BARRED}) and d.completed_at >= ${barredSince(sql`gone.since`)}
        limit ${MAX_COUNTED}) counted
      ) as dead_since_disabled
    from endpoints e
    join integrations on integrations.id = e.integration_id
    cross join lateral (
      select min(gone_at) as since, json_agg(json_build_object('url', url, 'gone_at',
        to_char(gone_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) order by gone_at desc) as urls
      from (select * from gone_urls where endpoint_id = e.id order by gone_at desc limit ${MAX_GONE_SHOWN}) latest
    ) gone
    where e.tenant_id = ${viewer.tenant_id} and ${condition}
      and ${viewer.mode === null ? sql`true` : sql`e.mode = ${viewer.mode}`}
      and ${viewer.only_of === null ? sql`true` : sql`e.integration_id = ${viewer.only_of}`}
    order by e.id limit ${limit}`.execute(db);
  return rows;
}

/** Since when the endpoint, or a URL of it, is not sent to; null when nothing is disabled. */
function barredSince(goneSince: ReturnType<typeof sql>) {
  return sql`least(e.disabled_at, ${goneSince}) - ${SLACK_S} * interval '1 second'`;
}

/** Disables an endpoint; false when it already is. */
export async function markDisabled(tx: Db, id: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('endpoints')
    .set({ disabled_at: sql<Date>`now()`, disabled_reason: 'operator' })
    .where('id', '=', id)
    .where('disabled_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(numUpdatedRows) > 0;
}

/** An endpoint's health, locked until the transaction ends, and since when it or a URL of it is not sent to. */
export async function lockHealth(tx: Db, id: string): Promise<{ health: Health; barred_since: Date | null }> {
  const health = await tx
    .selectFrom('endpoints')
    .select(HEALTH)
    .where('id', '=', id)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  const { rows } = await sql<{ barred_since: Date | null }>`
    select ${barredSince(sql`(select min(gone_at) from gone_urls where endpoint_id = e.id)`)} as barred_since
    from endpoints e where id = ${id}`.execute(tx);
  return { health, barred_since: rows[0]?.barred_since ?? null };
}

/** Lets an endpoint be sent to, as if nothing had ever happened; the run that sends to it now loses its lease. */
export async function markEnabled(tx: Db, id: string, health: Health): Promise<void> {
  await tx
    .updateTable('endpoints')
    .set({ ...enabled(health), lease_token: null, lease_until: null })
    .where('id', '=', id)
    .execute();
}

/** Lets all URLs of an endpoint be sent to that answered 410. */
export async function forgetGone(tx: Db, id: string): Promise<void> {
  await tx.deleteFrom('gone_urls').where('endpoint_id', '=', id).execute();
}
