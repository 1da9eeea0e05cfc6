import type { Kysely, Updateable } from 'kysely';
import type { Db } from '../db/database.ts';
import { endpointsOf, slackEndpointsOf } from '../deliveries/endpoint.ts';
import { releaseHeldOf } from '../deliveries/hold-store.ts';
import { touchMessages } from '../deliveries/messages-store.ts';
import { recordEvent } from '../deliveries/outbox-store.ts';
import type { Challenges, DB } from '../generated/database.ts';
import { newId } from '../kernel/id.ts';
import { currentTraceparent } from '../kernel/trace.ts';
import { isTerminal, validUntil } from './challenge.ts';
import type { Challenge, Status } from './challenge.ts';
import { awaitsFacts, HOLD_MS } from './device.ts';
import { callbackBody } from './present.ts';
import { moveStatus, recordAudit } from './store.ts';

export type SettleDeps = { db: Kysely<DB>; now: () => Date; wake: Wake };
/** Tells the relay that deliveries for these endpoints were committed. */
export type Wake = (endpointIds: readonly string[]) => void;
/** A wish to move a challenge: who wants it, and what else is to be written with it. */
export type Change = {
  challengeId: string;
  to: Exclude<Status, 'initiated'>;
  actor: string;
  fields?: Pick<
    Updateable<Challenges>,
    | 'failure_reason'
    | 'incident_comment'
    | 'auth_method'
    | 'auth_time'
    | 'acr'
    | 'amr'
    | 'subject'
    | 'subject_match'
    | 'browser_hash'
    | 'device_fingerprint'
    | 'target_response'
    | 'provider'
  >;
  detail?: { [key: string]: string | number | boolean | null };
};

export const INCIDENT_REPORTED = 'incident_reported';

/**
 * The only door by which status changes: compare-and-set, audit entry and outbox row in one transaction.
 * Undefined: somebody else was first, or time is up. That is an answer, not an error.
 */
export async function settle({ db, now, wake }: SettleDeps, change: Change): Promise<Challenge | undefined> {
  const moved = await db.transaction().execute((tx) => applyChange(tx, change, now()));
  if (moved) wake(isTerminal(moved.status) ? endpointsOf([moved]) : slackEndpointsOf([moved]));
  return moved;
}

/** The same within the caller's transaction; the caller wakes the relay after the commit. */
export async function applyChange(
  tx: Db,
  change: Change,
  at: Date,
  completedAt = at,
): Promise<Challenge | undefined> {
  const terminal = isTerminal(change.to);
  const moved = await moveStatus(tx, {
    id: change.challengeId,
    to: change.to,
    at,
    events: terminal ? 1 : 0,
    fields: {
      ...change.fields,
      ...(terminal ? { completed_at: completedAt } : { started_at: at }),
      ...(change.to === 'verified' ? { valid_until: validUntil(completedAt) } : {}),
      ...(change.fields?.failure_reason === INCIDENT_REPORTED ? { incident_reported_at: at } : {}),
    },
  });
  if (!moved) return undefined;
  await recordAudit(tx, {
    tenant_id: moved.tenant_id,
    challenge_id: moved.id,
    at,
    actor: change.actor,
    action: change.to,
    detail: { failure_reason: moved.failure_reason, ...change.detail },
  });
  // What a program plays has nobody to wait for.
  const waits = awaitsFacts(moved, at) && change.detail?.simulated === undefined;
  if (terminal) await announce(tx, moved, at, waits ? HOLD_MS : 0);
  await touchMessages(tx, moved, at);
  return moved;
}

/** Writes the challenge's newest event, by the number the row has come to, and its delivery, which may wait for device facts. */
export async function announce(tx: Db, challenge: Challenge, at: Date, heldMs = 0): Promise<void> {
  // What comes later does not go first.
  if (challenge.event_sequence > 1) await releaseHeldOf(tx, challenge.id);
  const event = { id: newId(), type: eventType(challenge), sequence: challenge.event_sequence };
  await recordEvent(
    tx,
    {
      ...event,
      tenant_id: challenge.tenant_id,
      mode: challenge.mode,
      challenge_id: challenge.id,
      traceparent: currentTraceparent() ?? challenge.traceparent,
      body: callbackBody(challenge, event),
      occurred_at: at,
    },
    { integration_id: challenge.integration_id, url: challenge.callback_url },
    heldMs,
  );
}

function eventType(challenge: Challenge): string {
  if (challenge.status === 'expired') return 'challenge.expired';
  if (challenge.failure_reason === INCIDENT_REPORTED || challenge.disputed)
    return 'challenge.incident_reported';
  return 'challenge.completed';
}
