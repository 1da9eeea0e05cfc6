import { sql } from 'kysely';
import type { Insertable, Updateable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { AuditEntries, Challenges } from '../generated/database.ts';
import { legalFrom } from './challenge.ts';
import type { Challenge, Mode, Status } from './challenge.ts';
import type { ListQuery } from './list-input.ts';

/** What is known about a challenge when it is made; the rest has defaults. */
const CREATED_COLUMNS = [
  ...([
    'id',
    'tenant_id',
    'integration_id',
    'mode',
    'status',
    'target_user_id',
    'target_user_email',
  ] as const),
  ...([
    'requester_id',
    'requester_email',
    'context',
    'metadata',
    'callback_url',
    'provider',
    'verification_token_hash',
  ] as const),
  ...(['return_url', 'provider_attempts', 'ticket', 'verification_code', 'acts_as', 'acts_at'] as const),
  ...(['slack_instance_id', 'traceparent', 'created_at', 'expires_at'] as const),
] as const;

/** Whose challenges a query may touch: nothing outside is ever found. */
export type Scope = { tenant_id: string; mode: Mode; integration_id: string; own_only: boolean };
/** A challenge to be inserted, and who asked for it. */
export type NewChallenge = {
  challenge: Pick<Insertable<Challenges>, (typeof CREATED_COLUMNS)[number]>;
  actor: string;
};
/** One challenge that a caller wants to see. */
export type Asked = { id: string; scope: Scope };
/** One step in the life of a challenge. */
export type Move = {
  id: string;
  to: Status;
  at: Date;
  /** how many events the step announces */
  events: number;
  fields: Updateable<Challenges>;
};

/** Inserts challenges, each with its first audit entry, in one statement. */
export async function insertChallenges(db: Db, made: readonly NewChallenge[]): Promise<void> {
  const columns = sql.join(CREATED_COLUMNS.map((column) => sql.ref(column)));
  const rows = JSON.stringify(made.map(({ challenge }) => challenge));
  const ids = made.map(({ challenge }) => challenge.id);
  const actors = made.map(({ actor }) => actor);
  await sql`
    with created as (
      insert into challenges (${columns})
      select ${columns} from json_populate_recordset(null::challenges, ${rows})
      returning tenant_id, id, created_at
    )
    insert into audit_entries (tenant_id, challenge_id, at, actor, action)
    select tenant_id, id, created_at, actor, 'created'
    from created join unnest(${ids}::uuid[], ${actors}::text[]) as by (id, actor) using (id)`.execute(db);
}

/** The callers' challenges, in the order asked; undefined where the id is not the caller's. */
export async function findChallenges(db: Db, asked: readonly Asked[]): Promise<(Challenge | undefined)[]> {
  const { rows } = await sql<Challenge & { asked: string }>`
    select asked.ordinality as asked, challenges.*
    from unnest(
      ${asked.map(({ id }) => id)}::uuid[],
      ${asked.map(({ scope }) => scope.tenant_id)}::uuid[],
      ${asked.map(({ scope }) => scope.mode)}::text[],
      ${asked.map(({ scope }) => (scope.own_only ? scope.integration_id : null))}::uuid[]
    ) with ordinality as asked (id, tenant_id, mode, only_of)
    join challenges using (id, tenant_id, mode)
    where only_of is null or integration_id = only_of`.execute(db);
  const found = new Map(rows.map(({ asked: position, ...challenge }) => [Number(position) - 1, challenge]));
  return asked.map((_, index) => found.get(index));
}

/** The challenge with this id, whoever it belongs to: for those who hold the link or handle a provider's report. */
export function findAnyChallenge(db: Db, id: string): Promise<Challenge | undefined> {
  return db.selectFrom('challenges').selectAll().where('id', '=', id).executeTakeFirst();
}

/** One page of the caller's challenges, newest first; status counts as it reads at `now`. */
export function listChallenges(db: Db, scope: Scope, query: ListQuery, now: Date): Promise<Challenge[]> {
  const { status, target, requester, createdAfter, createdBefore, after, limit } = query;
  return db
    .selectFrom('challenges')
    .selectAll()
    .where('tenant_id', '=', scope.tenant_id)
    .where('mode', '=', scope.mode)
    .$if(scope.own_only, (q) => q.where('integration_id', '=', scope.integration_id))
    .$if(status === 'expired', (q) =>
      q.where((eb) =>
        eb.or([
          eb('status', '=', 'expired'),
          eb.and([eb('status', 'in', legalFrom('expired')), eb('expires_at', '<=', now)]),
        ]),
      ),
    )
    .$if(status === 'initiated' || status === 'in-progress', (q) =>
      q.where('status', '=', status!).where('expires_at', '>', now),
    )
    .$if(status === 'verified' || status === 'failed', (q) => q.where('status', '=', status!))
    .$if(target !== undefined, (q) =>
      q.where((eb) =>
        eb.or([
          eb('target_user_id', '=', target!),
          eb(sql`lower(target_user_email)`, '=', sql`lower(${target!})`),
        ]),
      ),
    )
    .$if(requester !== undefined, (q) => q.where('requester_id', '=', requester!))
    .$if(createdAfter !== undefined, (q) => q.where('created_at', '>=', createdAfter!))
    .$if(createdBefore !== undefined, (q) => q.where('created_at', '<', createdBefore!))
    .$if(after !== undefined, (q) => q.where('id', '<', after!))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

/**
 * Compare-and-set: moves the challenge if it may still be moved, and returns it; undefined if somebody else was
 * first or time is up. Only expiry itself may happen after the deadline.
 */
export function moveStatus(db: Db, move: Move): Promise<Challenge | undefined> {
  return db
    .updateTable('challenges')
    .set({ ...move.fields, status: move.to })
    .set((eb) => ({ event_sequence: eb('event_sequence', '+', move.events) }))
    .where('id', '=', move.id)
    .where('status', 'in', legalFrom(move.to))
    .$if(move.to !== 'expired', (q) => q.where('expires_at', '>', move.at))
    .returningAll()
    .executeTakeFirst();
}

/** Locks up to `limit` challenges whose deadline has passed, leaving out those another process holds. */
export function lockDue(db: Db, now: Date, limit: number): Promise<Challenge[]> {
  return db
    .selectFrom('challenges')
    .selectAll()
    .where('status', 'in', legalFrom('expired'))
    .where('expires_at', '<=', now)
    .orderBy('expires_at')
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .execute();
}

/** Appends to the audit trail. */
export async function recordAudit(db: Db, entry: Insertable<AuditEntries>): Promise<void> {
  await db.insertInto('audit_entries').values(entry).execute();
}

/** Claims an idempotency key for this request; false when it is taken. Waits for a first request that is still running. */
export async function claimIdempotencyKey(
  db: Db,
  claim: {
    integration_id: string;
    key: string;
    request_hash: string;
    answer_sealed: string;
    created_at: Date | string;
  },
): Promise<boolean> {
  const row = await db
    .insertInto('idempotency_keys')
    .values(claim)
    .onConflict((conflict) => conflict.doNothing())
    .returning('key')
    .executeTakeFirst();
  return row !== undefined;
}

/** What was answered under this key. */
export function findIdempotentAnswer(db: Db, integrationId: string, key: string) {
  return db
    .selectFrom('idempotency_keys')
    .select(['request_hash', 'answer_sealed'])
    .where('integration_id', '=', integrationId)
    .where('key', '=', key)
    .executeTakeFirst();
}

/** Forgets idempotency keys older than `before`. */
export async function forgetIdempotencyKeys(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('idempotency_keys').where('created_at', '<', before).execute();
}
