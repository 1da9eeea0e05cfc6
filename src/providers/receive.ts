import { setTimeout as sleep } from 'node:timers/promises';
import ipaddr from 'ipaddr.js';
import { canonicalAddress, readNetwork } from '../kernel/address.ts';
import { batched } from '../kernel/batch.ts';
import { AppError } from '../kernel/errors.ts';
import { isUuid, newId } from '../kernel/id.ts';
import { acceptedSettings, rememberAccounts } from './account.ts';
import type { OpenAccount } from './account.ts';
import type { InboxDeps } from './inbox.ts';
import { handOver, HANDED_MS } from './inbox.ts';
import { countWebhooks, keepWebhooks } from './inbox-store.ts';
import type { NewWebhook } from './inbox-store.ts';
import type { RawRequest, Webhook } from './provider.ts';
import { sealContext } from './store.ts';

/** Why a webhook is turned away. */
export type Refusal = 'not_authentic' | 'address' | 'too_large' | 'compressed' | 'malformed';
/** A webhook at the door, and the address it comes from. */
export type Arrival = RawRequest & { address: string | undefined };

const KEPT = { maxItems: 100, isItemsFault: () => false };
const MINUTE_MS = 60_000;
/** When many come, a statement keeps some together: each commit waits for the disk. */
const KEEP_PACE_MS = 10;
/** A hand-over costs the queue on PostgreSQL ten milliseconds of CPU, whether of one webhook or of many. */
const HAND_OVER_PACE_MS = 50;
const COUNT_MS = 250;

/** The providers' door: who may come in, what is kept of it, and what is written down about the others. */
export type Receiver = {
  /** The account a webhook path names. Throws not_found; forbidden for an address that is not on the account's list. */
  admit(provider: string, accountId: string, address: string | undefined): Promise<OpenAccount>;
  /** Authenticates a webhook and keeps it once; when this returns it may be acknowledged. Throws unauthorized. */
  receive(opened: OpenAccount, arrival: Arrival): Promise<void>;
  /** Counts a webhook that was turned away, in the account's log. */
  refuse(opened: OpenAccount, reason: Refusal, address: string | undefined): Promise<void>;
};

/** One of these per process: webhooks that come at the same time share a statement. */
export function createReceiver(deps: InboxDeps): Receiver {
  const { sealer, now, log, metrics } = deps;
  const accountAt = rememberAccounts(deps);
  const hand = hander(deps);
  const keep = batched((rows: NewWebhook[]) => keepOnce(deps, rows, hand), {
    ...KEPT,
    atOnce: 2,
    paceMs: KEEP_PACE_MS,
  });
  // Apart, and one at a time: neither a flood of forged webhooks nor a row that somebody holds keeps authentic ones waiting.
  const [countRefused, countDuplicate] = [counter(deps), counter(deps)];
  /** Waits for the count, but not for long: somebody may hold the row, and the provider waits for its answer. */
  const countAgain = async (row: NewWebhook) => {
    const counted = countDuplicate(row).catch((error: unknown) =>
      log.warn({ err: error }, 'a duplicate could not be counted'),
    );
    await Promise.race([counted, sleep(COUNT_MS, undefined, { ref: false })]);
  };

  const receiver: Receiver = {
    async admit(provider, accountId, address) {
      const opened = await accountAt(provider, accountId);
      if (isAllowed(opened.account.allowed_ips, address)) return opened;
      await receiver.refuse(opened, 'address', address);
      throw new AppError('forbidden', 'This address may not send webhooks here');
    },

    async receive(opened, { address, ...request }) {
      const { account, provider } = opened;
      const text = openText(deps, opened, request);
      if (text === undefined) {
        await receiver.refuse(opened, 'not_authentic', address);
        throw new AppError('unauthorized', 'Invalid signature');
      }
      const webhook = provider.readWebhook(text);
      const id = newId();
      const row = {
        id,
        provider_account_id: account.id,
        ...keysOf(webhook, now()),
        body_sealed: sealer.seal(text, sealContext.body(id)),
        ...arrivedAt(now(), address),
        next_try_at: new Date(now().getTime() + HANDED_MS),
      };
      const fresh = await keep(row);
      if (!fresh) await countAgain(row);
      metrics.inboundTotal.inc({ provider: account.provider, result: fresh ? 'kept' : 'duplicate' });
      log.info(
        {
          ...{ provider: account.provider, account_id: account.id, kind: webhook.kind },
          ...{ inbox_id: fresh ? id : null, duplicate: !fresh },
        },
        'webhook received',
      );
    },

    async refuse({ account }, reason, address) {
      const at = now();
      await countRefused({
        id: newId(),
        provider_account_id: account.id,
        event_key: `refused:${reason}:${minuteOf(at)}`,
        kind: 'refused',
        ...arrivedAt(at, address),
        handled_at: at,
        outcome: 'refused',
        reason,
      });
      metrics.inboundTotal.inc({ provider: account.provider, result: reason });
      log.warn({ provider: account.provider, account_id: account.id, reason, address }, 'webhook refused');
    },
  };
  return receiver;
}

/** In one statement, also where the same webhook is among them twice; true for each that is new. */
async function keepOnce(
  { db }: InboxDeps,
  rows: NewWebhook[],
  hand: (id: string) => Promise<void>,
): Promise<boolean[]> {
  const kept = await keepWebhooks(db, [...firstsOf(rows).values()]);
  // Not awaited: a queue that hangs must not keep the provider from its answer, for which it waits a few seconds only.
  for (const id of kept) void hand(id);
  return rows.map(({ id }) => kept.has(id));
}

/** Gives webhooks to the queue; never rejects. */
function hander(deps: InboxDeps): (id: string) => Promise<void> {
  const hand = async (ids: string[]) => {
    const rows = ids.map((id) => ({ id, tries: 0 }));
    await handOver(deps, rows);
    return ids.map(() => undefined);
  };
  return batched(hand, { ...KEPT, atOnce: 1, paceMs: HAND_OVER_PACE_MS });
}

function counter({ db }: InboxDeps): (row: NewWebhook) => Promise<void> {
  const count = async (rows: NewWebhook[]) => {
    await countWebhooks(db, withCopies(rows));
    return rows.map(() => undefined);
  };
  return batched(count, { ...KEPT, atOnce: 1 });
}

/** One of each, with how often it is there: a statement may touch a row once only. */
function withCopies(rows: readonly NewWebhook[]): NewWebhook[] {
  const firsts = firstsOf(rows);
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(keyOf(row), (counts.get(keyOf(row)) ?? 0) + 1);
  return [...firsts].map(([key, row]) => Object.assign({}, row, { copies: counts.get(key) ?? 1 }));
}

function firstsOf(rows: readonly NewWebhook[]): Map<string, NewWebhook> {
  return new Map(rows.toReversed().map((row) => [keyOf(row), row]));
}

function keyOf({ provider_account_id, event_key }: NewWebhook): string {
  return `${provider_account_id} ${event_key}`;
}

function openText({ sealer, now }: InboxDeps, opened: OpenAccount, request: RawRequest): string | undefined {
  for (const settings of acceptedSettings(sealer, opened, now())) {
    try {
      return opened.provider.openWebhook(request, settings, now());
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'unauthorized') throw error;
    }
  }
  return undefined;
}

function keysOf({ kind, eventKey, sessionId, attemptId, report, repeats }: Webhook, at: Date) {
  const named = report?.challengeId ?? '';
  return {
    kind,
    event_key: repeats ? `${eventKey}:${minuteOf(at)}` : eventKey,
    provider_session_id: sessionId ?? null,
    provider_attempt_id: attemptId ?? null,
    echoed_challenge_id: isUuid(named) ? named : null,
  };
}

function minuteOf(at: Date): number {
  return Math.floor(at.getTime() / MINUTE_MS);
}

function arrivedAt(at: Date, address: string | undefined) {
  return { received_at: at, last_received_at: at, address: address ?? null };
}

function isAllowed(networks: readonly string[], address: string | undefined): boolean {
  if (networks.length === 0) return true;
  const canonical = address === undefined ? undefined : canonicalAddress(address);
  if (canonical === undefined) return false;
  // An IPv4 client of a socket that listens on IPv6 comes as ::ffff:192.0.2.1.
  const client = ipaddr.process(canonical);
  return networks.some((text) => {
    const [network, bits] = readNetwork(text);
    return network.kind() === client.kind() && client.match(network, bits);
  });
}
