import { sql } from 'kysely';
import type { Insertable, Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Challenges, SlackMessages } from '../generated/database.ts';
import { newId } from '../kernel/id.ts';
import { SLACK_URL } from './endpoint.ts';
import type { SlackEvent } from './event-types.ts';
import { insertEvent, recordDelivery } from './outbox-store.ts';

export type Role = SlackMessages['role'];
/** The challenge that messages in Slack are about. */
type About = Pick<Selectable<Challenges>, 'id' | 'tenant_id' | 'mode' | 'slack_instance_id'>;
/** A message that stands in Slack, or may. */
type Standing = About & { event_id: string; role: Role; slack_instance_id: string };
/** A message yet to be posted; `link` is for the person alone, and `seal` keeps it so in the row with this id. */
export type NewMessage = Pick<Insertable<SlackMessages>, 'role' | 'is_automatic' | 'language'> &
  Record<'recipient' | 'target_user' | 'requester_user', string> & { seal?: (eventId: string) => string };

/** Writes a message that is to be posted and then kept up to date, with its first delivery, within the caller's transaction. */
export async function insertMessage(
  tx: Db,
  challenge: About & { slack_instance_id: string },
  { seal, ...message }: NewMessage,
  at: Date,
): Promise<void> {
  const id = newId();
  const event = eventOf(challenge, { id, role: message.role, at });
  await insertEvent(tx, { ...event, challenge_id: challenge.id, sequence: null, body: '{}' });
  await tx
    .insertInto('slack_messages')
    .values({ event_id: id, challenge_id: challenge.id, ...message, link_sealed: seal?.(id) ?? null })
    .execute();
  await deliver(tx, event, challenge.slack_instance_id);
}

/** What a challenge's messages show has changed: each gets a delivery more, within the caller's transaction. Nothing for one without messages. */
export async function touchMessages(
  tx: Db,
  challenge: About & { completed_at: Date | null },
  at: Date,
): Promise<void> {
  const { id: challenge_id, slack_instance_id, completed_at } = challenge;
  if (slack_instance_id === null) return;
  const messages = await tx
    .selectFrom('slack_messages')
    .select(['event_id', 'role'])
    .where('challenge_id', '=', challenge_id)
    .orderBy('role')
    .execute();
  for (const { event_id, role } of messages)
    await deliver(tx, eventOf(challenge, { id: event_id, role, at }), slack_instance_id);
  if (completed_at)
    await tx
      .updateTable('slack_messages')
      .set({ link_sealed: null })
      .where('challenge_id', '=', challenge_id)
      .execute();
}

/**
 * Forgets who was asked and told, of these challenges, within the caller's transaction. A message that stands in Slack,
 * or may, gets a delivery more, which takes the details out of it; returns the workspaces.
 */
export async function eraseMessages(tx: Db, challengeIds: readonly string[], at: Date): Promise<string[]> {
  await tx
    .deleteFrom('slack_messages')
    .where('challenge_id', 'in', challengeIds)
    .where('ts', 'is', null)
    .where('posting_at', 'is', null)
    .execute();
  const { rows } = await sql<Standing>`
    with erased as (
      update slack_messages set recipient = null, target_user = null, requester_user = null, link_sealed = null,
        shown_hash = null
      where challenge_id = any(${challengeIds}::uuid[]) returning event_id, role, challenge_id
    ), restored as (
      -- as it always was: without one nothing is done
      update events set body = '{}' from erased where events.id = erased.event_id
    )
    select event_id, role, challenges.id, tenant_id, mode, slack_instance_id
    from erased join challenges on challenges.id = challenge_id order by event_id`.execute(tx);
  for (const { event_id, role, slack_instance_id, ...challenge } of rows)
    await deliver(
      tx,
      eventOf({ ...challenge, slack_instance_id }, { id: event_id, role, at }),
      slack_instance_id,
    );
  return [...new Set(rows.map(({ slack_instance_id }) => slack_instance_id))];
}

/** Up to `limit` challenges nobody has started whose card was given up: the person will never hear of them. */
export async function findUndeliverable(db: Db, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('slack_messages')
    .innerJoin('challenges', 'challenges.id', 'slack_messages.challenge_id')
    .select('challenge_id')
    .where('role', '=', 'card')
    .where('ts', 'is', null)
    .where('challenges.status', '=', 'initiated')
    .where((eb) => {
      const deliveries = eb
        .selectFrom('deliveries')
        .select('deliveries.id')
        .whereRef('deliveries.event_id', '=', 'slack_messages.event_id');
      return eb.and([
        eb.exists(deliveries.where('deliveries.status', '=', 'dead')),
        eb.not(eb.exists(deliveries.where('deliveries.status', '=', 'pending'))),
      ]);
    })
    .limit(limit)
    .execute();
  return rows.map(({ challenge_id }) => challenge_id);
}

function eventOf({ tenant_id, mode }: About, { id, role, at }: { id: string; role: Role; at: Date }) {
  const type: SlackEvent = `slack.${role}`;
  return { id, tenant_id, mode, type, occurred_at: at };
}

async function deliver(tx: Db, event: ReturnType<typeof eventOf>, integration_id: string): Promise<void> {
  await recordDelivery(tx, event, { integration_id, url: SLACK_URL }, { trigger: 'event', lane: 0 });
}
