import { sql } from 'kysely';
import type { Insertable, Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { AuditEntries, Deliveries, DeliveryAttempts } from '../generated/database.ts';
import type { Caller } from '../tenants/store.ts';
import { SLACK_EVENTS } from './event-types.ts';
import type { DeadReason } from './schedule.ts';

/** Who looks: nothing outside is ever found. null: both modes, all integrations. */
export type Viewer = { tenant_id: string; mode: 'test' | 'live' | null; only_of: string | null };
type Row = Selectable<Deliveries>;

/** What deliveries must have; undefined: whatever. */
export type Filter = {
  status?: Row['status'] | undefined;
  endpoint_id?: string | undefined;
  integration_id?: string | undefined;
  challenge_id?: string | undefined;
  event_type?: string | undefined;
  trigger?: Row['trigger'] | undefined;
  dead_reasons?: readonly DeadReason[] | undefined;
  /** made at this time or later, made before it; ended at this time or later */
  since?: Date | undefined;
  until?: Date | undefined;
  ended_since?: Date | undefined;
};
/** A delivery as people see it. */
export type DeliveryRow = Pick<Row, (typeof COLUMNS)[number]> & {
  event_type: string;
  challenge_id: string | null;
  mode: 'test' | 'live';
  body_deleted: boolean;
};
/** A delivery with all that sending it again depends on. */
export type Original = DeliveryRow & {
  body: string | null;
  traceparent: string | null;
  /** the challenge's personal data was erased, and the event's bytes with it */
  erased_at: Date | null;
  /** the end of the event's last delivery */
  last_ended_at: Date | null;
};
/** Why nothing is sent to a URL. */
export type Barrier = { disabled_at: Date | null; disabled_reason: string | null; gone_at: Date | null };

/** The proxy gives up for minutes on end, and each try is written down: the last ones tell it all. */
const MAX_ATTEMPTS_SHOWN = 100;

const COLUMNS = [
  ...(['id', 'event_id', 'endpoint_id', 'tenant_id', 'integration_id', 'url', 'trigger', 'status'] as const),
  ...(['attempts', 'next_attempt_at', 'last_status_code', 'last_error_class', 'dead_reason'] as const),
  ...(['created_at', 'completed_at'] as const),
] as const;
const SEEN = sql`${sql.join(COLUMNS.map((column) => sql.ref(`d.${column}`)))},
  e.type as event_type, e.challenge_id, e.mode, e.body is null as body_deleted`;

/** The viewer that a caller is. */
export function viewerOf({ tenant_id, mode, integration_id, own_only }: Caller): Viewer {
  return { tenant_id, mode, only_of: own_only ? integration_id : null };
}

/** The conditions on deliveries `d` and their events `e`. */
export function matches(viewer: Viewer, filter: Filter) {
  const conditions = [
    sql`d.tenant_id = ${viewer.tenant_id}`,
    viewer.mode && sql`e.mode = ${viewer.mode}`,
    viewer.only_of && isOf(viewer.only_of),
    filter.status && sql`d.status = ${filter.status}`,
    filter.endpoint_id && sql`d.endpoint_id = ${filter.endpoint_id}`,
    filter.integration_id && sql`d.integration_id = ${filter.integration_id}`,
    filter.challenge_id && sql`e.challenge_id = ${filter.challenge_id}`,
    filter.event_type && sql`e.type = ${filter.event_type}`,
    filter.trigger && sql`d.trigger = ${filter.trigger}`,
    filter.dead_reasons && sql`d.dead_reason = any(${filter.dead_reasons})`,
    filter.since && sql`d.created_at >= ${filter.since}`,
    filter.until && sql`d.created_at < ${filter.until}`,
    filter.ended_since && sql`d.completed_at >= ${filter.ended_since}`,
  ];
  return sql.join(
    conditions.filter((condition) => typeof condition === 'object' && condition !== null),
    sql` and `,
  );
}

/** What is done in Slack for a challenge belongs to whose challenge it is, and not to the workspace. */
function isOf(integrationId: string) {
  return sql`case when e.type = any(${SLACK_EVENTS}) and e.challenge_id is not null
    then exists (select from challenges where challenges.id = e.challenge_id and challenges.integration_id = ${integrationId})
    else d.integration_id = ${integrationId} end`;
}

/** One page of deliveries, newest first. */
export async function listDeliveries(
  db: Db,
  viewer: Viewer,
  { filter, limit, after }: { filter: Filter; limit: number; after: string | undefined },
): Promise<DeliveryRow[]> {
  const { rows } = await sql<DeliveryRow>`
    select ${SEEN} from deliveries d join events e on e.id = d.event_id
    where ${matches(viewer, filter)} and ${after === undefined ? sql`true` : sql`d.id < ${after}`}
    order by d.id desc limit ${limit}`.execute(db);
  return rows;
}

/** The viewer's delivery with this id, and what it would be sent with. */
export async function findOriginal(db: Db, viewer: Viewer, id: string): Promise<Original | undefined> {
  const { rows } = await sql<Original>`
    select ${SEEN}, e.body, e.traceparent,
      (select erased_at from challenges where challenges.id = e.challenge_id) as erased_at,
      (select max(completed_at) from deliveries where event_id = e.id) as last_ended_at
    from deliveries d join events e on e.id = d.event_id
    where d.id = ${id} and ${matches(viewer, {})}`.execute(db);
  return rows[0];
}

/** The newest attempts of a delivery, in the order they were made. */
export async function listAttempts(
  db: Db,
  deliveryId: string,
): Promise<Omit<Selectable<DeliveryAttempts>, 'delivery_id'>[]> {
  const rows = await db
    .selectFrom('delivery_attempts')
    .selectAll()
    .where('delivery_id', '=', deliveryId)
    .orderBy('started_at', 'desc')
    .orderBy('attempt', 'desc')
    .limit(MAX_ATTEMPTS_SHOWN)
    .execute();
  return rows.reverse();
}

/** What keeps an endpoint from being sent to, if there is such an endpoint. */
export function findBarrier(db: Db, endpointId: string, url: string): Promise<Barrier | undefined> {
  return db
    .selectFrom('endpoints')
    .leftJoin('gone_urls', (join) =>
      join.onRef('gone_urls.endpoint_id', '=', 'endpoints.id').on('gone_urls.url', '=', url),
    )
    .select(['disabled_at', 'disabled_reason', 'gone_at'])
    .where('endpoints.id', '=', endpointId)
    .executeTakeFirst();
}

/** Appends to the audit trail. */
export async function recordAudit(db: Db, entry: Insertable<AuditEntries>): Promise<void> {
  await db.insertInto('audit_entries').values(entry).execute();
}
