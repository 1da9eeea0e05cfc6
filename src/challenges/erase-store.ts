import { sql } from 'kysely';
import type { Expression, ExpressionBuilder, Kysely, SqlBool } from 'kysely';
import type { Db } from '../db/database.ts';
import type { DB } from '../generated/database.ts';
import { slackEndpointOf } from '../deliveries/endpoint.ts';
import { eraseMessages } from '../deliveries/messages-store.ts';
import type { Scope } from './store.ts';

/** Whose data is to go: one challenge's, or that of all challenges of a person. */
export type Target = { challenge_id: string } | { target_user_email: string } | { target_user_id: string };
/** Whose challenges may be touched; a tenant's whole unless it is narrowed further. */
export type EraseScope = Pick<Scope, 'tenant_id'> & Partial<Scope>;
/** What was taken out of one batch: the challenges, how many deliveries will not be sent for it, and where something is to be done now. */
export type Erased = { ids: string[]; canceled: number; endpoints: string[] };

/** What the tombstone says where `requester_id` may have named a person. */
const ERASED = 'erased';

/** How many challenges of the target can be erased, and how many are open and so cannot. */
export async function countErasable(
  db: Db,
  scope: EraseScope,
  target: Target,
): Promise<{ erasable: number; open: number }> {
  const { erasable, open } = await db
    .selectFrom('challenges')
    .select((eb) => [
      eb.fn.countAll<string>().filterWhere('completed_at', 'is not', null).as('erasable'),
      eb.fn.countAll<string>().filterWhere('completed_at', 'is', null).as('open'),
    ])
    .where(isOf(scope, target))
    .where('erased_at', 'is', null)
    .executeTakeFirstOrThrow();
  return { erasable: Number(erasable), open: Number(open) };
}

/** Up to `limit` challenges of the target that have ended and are not erased. */
export async function findErasable(
  db: Db,
  scope: EraseScope,
  target: Target,
  limit: number,
): Promise<string[]> {
  const rows = await db
    .selectFrom('challenges')
    .select('id')
    .where(isOf(scope, target))
    .where('completed_at', 'is not', null)
    .where('erased_at', 'is', null)
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

/**
 * Takes everything personal out of those of these challenges that have ended and still have it, wherever it is kept,
 * in one transaction. What is under way for them ends without leaving anything; what stands in Slack is to be rewritten.
 */
export async function eraseBatch(
  db: Kysely<DB>,
  wanted: readonly string[],
  { actor, at }: { actor: string; at: Date },
): Promise<Erased> {
  const erased = await db.transaction().execute(async (tx) => {
    const ids = await makeTombstones(tx, wanted, at);
    if (ids.length === 0) return { ids, canceled: 0, endpoints: [] };
    // The inbox before the sessions, as whoever handles a webhook locks them.
    await wipeInbox(tx, ids, at);
    await endSessions(tx, ids);
    await endSignIns(tx, ids, at);
    await deleteBodies(tx, ids);
    const canceled = await cancelDeliveries(tx, ids);
    await wipeAttempts(tx, ids);
    const workspaces = await eraseMessages(tx, ids, at);
    await noteErasure(tx, ids, actor, at);
    return { ids, canceled, endpoints: workspaces.map(slackEndpointOf) };
  });
  // A webhook that was handled in between did not yet see that its challenge is erased; from now on each does.
  if (erased.ids.length > 0) await wipeInbox(db, erased.ids, at);
  return erased;
}

/** Locks the challenges against a dispute, which then finds them erased. */
async function makeTombstones(tx: Db, wanted: readonly string[], at: Date): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    with locked as (
      select id from challenges
      where id = any(${wanted}::uuid[]) and completed_at is not null and erased_at is null
      order by id for no key update
    )
    update challenges set erased_at = ${at}, target_user_id = null, target_user_email = null, context = null,
      requester_id = ${ERASED}, requester_email = null, ticket = null, subject = null, metadata = '{}', target_response = null, device_fingerprint = null,
      incident_comment = null, return_url = null, provider_status = null,
      provider_signals = '[]', progress = '[]'
    from locked where challenges.id = locked.id
    returning challenges.id`.execute(tx);
  return rows.map(({ id }) => id);
}

/** What the provider told us; what is not handled yet has nothing left to do. */
async function wipeInbox(db: Db, ids: readonly string[], at: Date): Promise<void> {
  await sql`
    update inbox set body_sealed = null, next_try_at = null, handled_at = coalesce(handled_at, ${at}),
      outcome = case when handled_at is null then ${ERASED} else outcome end
    where body_sealed is not null and inbox.id in (
      select about.id from inbox about join verification_sessions sessions
        using (provider_account_id, provider_session_id)
      where sessions.challenge_id = any(${ids}::uuid[])
      union all
      -- what names the challenge and found no session, as far as it comes from the same tenant's accounts
      select about.id from inbox about join challenges on challenges.id = about.echoed_challenge_id
        join provider_accounts accounts on accounts.id = about.provider_account_id
      where challenges.id = any(${ids}::uuid[]) and accounts.tenant_id = challenges.tenant_id)`.execute(db);
}

async function endSessions(tx: Db, ids: readonly string[]): Promise<void> {
  await tx
    .updateTable('verification_sessions')
    .set({ url_sealed: null, token_sealed: null, status: 'ended', next_check_at: null })
    .where('challenge_id', 'in', ids)
    .execute();
}

async function endSignIns(tx: Db, ids: readonly string[], at: Date): Promise<void> {
  await tx
    .updateTable('sign_in_attempts')
    .set((eb) => ({
      ...{ status: 'ended', kept_sealed: null, answer_sealed: null, address: null },
      outcome: eb.fn.coalesce('outcome', eb.val(ERASED)),
      ended_at: eb.fn.coalesce('ended_at', eb.val(at)),
    }))
    .where('challenge_id', 'in', ids)
    .execute();
}

async function deleteBodies(tx: Db, ids: readonly string[]): Promise<void> {
  await tx
    .updateTable('events')
    .set({ body: null })
    .where('challenge_id', 'in', ids)
    .where('body', 'is not', null)
    .execute();
}

/** The result of an attempt under way is then discarded: only what is pending takes one. */
async function cancelDeliveries(tx: Db, ids: readonly string[]): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('deliveries')
    .set({ status: 'canceled', completed_at: sql<Date>`now()` })
    .where('event_id', 'in', (eb) => eb.selectFrom('events').select('id').where('challenge_id', 'in', ids))
    .where('status', '=', 'pending')
    .executeTakeFirstOrThrow();
  return Number(numUpdatedRows);
}

/** What receivers answered may quote what was sent to them. */
async function wipeAttempts(tx: Db, ids: readonly string[]): Promise<void> {
  const deliveries = await tx
    .selectFrom('deliveries')
    .innerJoin('events', 'events.id', 'deliveries.event_id')
    .select('deliveries.id')
    .where('challenge_id', 'in', ids)
    .execute();
  // By a list of ids and no join: each day's partition is then searched by its index.
  await sql`
    update delivery_attempts set response_excerpt = null, error_message = null
    where delivery_id = any(${deliveries.map(({ id }) => id)}::uuid[])
      and (response_excerpt is not null or error_message is not null)`.execute(tx);
}

/** The trail stays, without the address of the person's device, who signed in, and who was where in Slack. */
async function noteErasure(tx: Db, ids: readonly string[], actor: string, at: Date): Promise<void> {
  await sql`
    update audit_entries set detail = detail - '{ip,clicked_from,signed_in_as,channel,slack_user}'::text[]
    where challenge_id = any(${ids}::uuid[]) and jsonb_exists_any(detail, '{ip,clicked_from,signed_in_as,channel,slack_user}')`.execute(
    tx,
  );
  await sql`
    insert into audit_entries (tenant_id, challenge_id, at, actor, action)
    select tenant_id, id, ${at}, ${actor}, ${ERASED} from challenges where id = any(${ids}::uuid[])
    order by id`.execute(tx);
}

function isOf(scope: EraseScope, target: Target) {
  return (eb: ExpressionBuilder<DB, 'challenges'>): Expression<SqlBool> => {
    const { tenant_id, mode, integration_id, own_only } = scope;
    const narrowed: Expression<SqlBool>[] = [eb('tenant_id', '=', tenant_id)];
    if (mode) narrowed.push(eb('mode', '=', mode));
    if (own_only && integration_id) narrowed.push(eb('integration_id', '=', integration_id));
    if ('challenge_id' in target) narrowed.push(eb('id', '=', target.challenge_id));
    else if ('target_user_id' in target) narrowed.push(eb('target_user_id', '=', target.target_user_id));
    else narrowed.push(sql<SqlBool>`lower(target_user_email) = lower(${target.target_user_email})`);
    return eb.and(narrowed);
  };
}
