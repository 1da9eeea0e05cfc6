import { sql } from 'kysely';
import type { Insertable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { DeliveryAttempts, Events } from '../generated/database.ts';
import { newId } from '../kernel/id.ts';

/** A delivery taken for one attempt, with all that the sender needs. */
export type Taken = {
  id: string;
  event_id: string;
  integration_id: string;
  challenge_id: string;
  url: string;
  attempts: number;
  lease_token: string;
  body: string;
  mode: 'test' | 'live';
};

/** How long a hand-over to the queue is trusted before the sweep repeats it. */
const HANDED_MS = 15_000;
/** How late a delayed job may be before the sweep stands in for it. */
const RETRY_GRACE_MS = 2_000;
/** Longer than an attempt can take: 10 s to send, the rest to write it down. */
const LEASE_MS = 20_000;

/** The outbox: writes an event and, if there is an endpoint, its delivery, within the caller's transaction. */
export async function recordEvent(
  tx: Db,
  event: Insertable<Events>,
  endpoint: { integration_id: string; url: string | null },
): Promise<void> {
  await tx.insertInto('events').values(event).execute();
  if (endpoint.url === null) return;
  await tx
    .insertInto('deliveries')
    .values({
      id: newId(),
      event_id: event.id,
      tenant_id: event.tenant_id,
      integration_id: endpoint.integration_id,
      url: endpoint.url,
      next_attempt_at: event.occurred_at,
      created_at: event.occurred_at,
    })
    .execute();
}

/** Marks up to `limit` due deliveries that no job carries as handed over, and returns them. A lapsed lease counts as due. */
export function takeDue(db: Db, now: Date, limit: number): Promise<{ id: string; attempts: number }[]> {
  return db
    .updateTable('deliveries')
    .set({ handed_until: new Date(now.getTime() + HANDED_MS) })
    .where('id', 'in', (eb) =>
      eb
        .selectFrom('deliveries')
        .select('id')
        .where(dueAt(now))
        .where((e) => e.or([e('handed_until', 'is', null), e('handed_until', '<=', now)]))
        .orderBy('next_attempt_at')
        .limit(limit)
        .forUpdate()
        .skipLocked(),
    )
    .returning(['id', 'attempts'])
    .execute();
}

/** Leases one delivery for one attempt and counts the attempt; undefined if it is not due or somebody has it. */
export async function takeForAttempt(db: Db, id: string, now: Date): Promise<Taken | undefined> {
  return db
    .updateTable('deliveries')
    .from('events')
    .innerJoin('challenges', 'challenges.id', 'events.challenge_id')
    .set({ status: 'sending', lease_token: newId(), lease_until: new Date(now.getTime() + LEASE_MS) })
    .set((eb) => ({ attempts: eb('deliveries.attempts', '+', 1) }))
    .where('deliveries.id', '=', id)
    .whereRef('events.id', '=', 'deliveries.event_id')
    .where(dueAt(now))
    .returning([
      'deliveries.id',
      'deliveries.event_id',
      'deliveries.integration_id',
      'deliveries.url',
      'deliveries.attempts',
      sql<string>`deliveries.lease_token`.as('lease_token'),
      'events.challenge_id',
      'events.body',
      'challenges.mode',
    ])
    .executeTakeFirst();
}

/**
 * Writes an attempt and what follows from it, in one statement and only while the lease is still ours.
 * False: it lapsed and somebody else has taken the delivery; nothing was written.
 */
export async function finishAttempt(
  db: Db,
  taken: Taken,
  attempt: Insertable<DeliveryAttempts>,
  next: { status: 'delivered' | 'dead'; at: Date } | { status: 'pending'; at: Date },
): Promise<boolean> {
  const row = await db
    .with('finished', (with_) =>
      with_
        .updateTable('deliveries')
        .set({
          status: next.status,
          lease_token: null,
          lease_until: null,
          ...(next.status === 'pending'
            ? { next_attempt_at: next.at, handed_until: new Date(next.at.getTime() + RETRY_GRACE_MS) }
            : { completed_at: next.at, handed_until: null }),
        })
        .where('id', '=', taken.id)
        .where('lease_token', '=', taken.lease_token)
        .returning('id'),
    )
    .insertInto('delivery_attempts')
    .columns([...ATTEMPT_COLUMNS])
    .expression((eb) =>
      eb
        .selectFrom('finished')
        .select([
          'finished.id as delivery_id',
          sql<number>`${attempt.attempt}::integer`.as('attempt'),
          sql<string>`${attempt.url}::text`.as('url'),
          sql<Date>`${attempt.started_at}::timestamptz`.as('started_at'),
          sql<number>`${attempt.duration_ms}::integer`.as('duration_ms'),
          sql<number | null>`${attempt.status_code ?? null}::integer`.as('status_code'),
          sql<string | null>`${attempt.error_class ?? null}::text`.as('error_class'),
          sql<string | null>`${attempt.error_message ?? null}::text`.as('error_message'),
          sql<string | null>`${attempt.response_excerpt ?? null}::text`.as('response_excerpt'),
          sql<string | null>`${attempt.remote_address ?? null}::text`.as('remote_address'),
        ]),
    )
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

const ATTEMPT_COLUMNS = [
  ...(['delivery_id', 'attempt', 'url', 'started_at', 'duration_ms'] as const),
  ...(['status_code', 'error_class', 'error_message', 'response_excerpt', 'remote_address'] as const),
] as const;

/** Waiting and its time has come, or being sent by somebody whose lease has lapsed. */
function dueAt(now: Date) {
  return sql<boolean>`(deliveries.status = 'pending' and deliveries.next_attempt_at <= ${now}
    or deliveries.status = 'sending' and deliveries.lease_until <= ${now})`;
}

/** When the oldest delivery was due, or the oldest lease of one being sent ends, and how many were given up. */
export async function summarize(db: Db): Promise<{ oldest: Date | null; dead: number }> {
  const { oldest, dead } = await db
    .selectFrom('deliveries')
    .select((eb) => [
      sql<Date | null>`least(min(next_attempt_at) filter (where status = 'pending'),
        min(lease_until) filter (where status = 'sending'))`.as('oldest'),
      eb.fn.countAll<string>().filterWhere('status', '=', 'dead').as('dead'),
    ])
    .executeTakeFirstOrThrow();
  return { oldest, dead: Number(dead) };
}
