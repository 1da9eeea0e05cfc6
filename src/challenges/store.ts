import { sql } from 'kysely';
import type { Insertable, Updateable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { AuditEntries, Challenges } from '../generated/database.ts';
import { legalFrom } from './challenge.ts';
import type { Challenge, Mode, Status } from './challenge.ts';
import type { ListQuery } from './input.ts';

/** Whose challenges a query may touch: nothing outside is ever found. */
export type Scope = { tenant_id: string; mode: Mode };
/** One step in the life of a challenge. */
export type Move = {
  id: string;
  to: Status;
  at: Date;
  /** how many events the step announces */
  events: number;
  fields: Updateable<Challenges>;
};

/** Inserts a challenge and its first audit entry in one statement. */
export async function insertChallenge(
  db: Db,
  challenge: Insertable<Challenges>,
  actor: string,
): Promise<void> {
  await db
    .with('created', (with_) => with_.insertInto('challenges').values(challenge).returning('id'))
    .insertInto('audit_entries')
    .values({
      tenant_id: challenge.tenant_id,
      challenge_id: challenge.id,
      at: challenge.created_at,
      actor,
      action: 'created',
      detail: null,
    })
    .execute();
}

/** The caller's challenge with this id, if there is one. */
export function findChallenge(db: Db, id: string, scope: Scope): Promise<Challenge | undefined> {
  return db
    .selectFrom('challenges')
    .selectAll()
    .where('id', '=', id)
    .where('tenant_id', '=', scope.tenant_id)
    .where('mode', '=', scope.mode)
    .executeTakeFirst();
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
    created_at: Date;
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
