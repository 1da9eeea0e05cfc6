import { randomBytes } from 'node:crypto';
import { hmacHex } from '../kernel/crypto.ts';
import { dashboardLink, toJson } from './berbix-transactions.ts';
import type { BerbixTransaction, Json } from './berbix-transactions.ts';
import type { Message } from './simulator.ts';

/** The hooks by kind, each with a secret of its own; '' means that there is no such hook. */
export type HookSecrets = { finished: string; status_changed: string; progress: string };
export type HookKind = keyof HookSecrets;
export type ProgressType = 'event' | 'error';

/** `X-Berbix-Signature` over these bytes as of `now`; the secret is the key, and signed as well. */
export function signatureHeader(secret: string, body: string | Buffer, now: Date): string {
  const time = Math.floor(now.getTime() / 1_000);
  const signed = Buffer.concat([Buffer.from(`${time},${secret},`), Buffer.from(body)]);
  return `v0,${time},${hmacHex(secret, signed)}`;
}

/** A webhook as the hook of this kind sends it: a line feed ends the body, and each try is signed anew. */
export function messageOf(kind: HookKind, body: Json, secrets: HookSecrets, now: () => Date) {
  const text = `${toJson(body)}\n`;
  const headers = () => ({
    'content-type': 'application/json',
    'x-berbix-signature': signatureHeader(secrets[kind], text, now()),
  });
  const name = [kind, body.message ?? body.action].filter((word) => typeof word === 'string').join(' ');
  return { body: text, headers, name } satisfies Message & { name: string };
}

/** Verification finished: with what Berbix has decided by itself. */
export function finishedBody(transaction: BerbixTransaction, action: string): Json {
  return {
    user_id: transaction.transactionId,
    transaction_id: transaction.transactionId,
    code: newCode(),
    customer_uid: transaction.challengeId,
    action,
    dashboard_link: dashboardLink(transaction),
  };
}

/** Verification status changed: a person at Berbix has chosen another action. */
export function statusChangedBody(transaction: BerbixTransaction, action: string): Json {
  return {
    id: BigInt(`0x${randomBytes(6).toString('hex')}`),
    transaction_id: transaction.transactionId,
    customer_uid: transaction.challengeId,
    action,
    dashboard_link: dashboardLink(transaction),
  };
}

/** Verification progress. */
export function progressBody(
  { transactionId, challengeId }: BerbixTransaction,
  type: ProgressType,
  message: string,
  createdAt: string,
): Json {
  return { transaction_id: transactionId, customer_uid: challengeId, type, message, created_at: createdAt };
}

/** What the Test button of a hook sends: about a transaction that does not exist. */
export function sampleBody(kind: HookKind): Json {
  const about = { transaction_id: 1234123412341234, customer_uid: 'unique-uid' };
  if (kind === 'progress') {
    return {
      ...about,
      type: 'event',
      message: 'SESSION_STARTED',
      created_at: '2022-12-16T22:48:40.693917311Z',
    };
  }
  const decided = { ...about, action: 'test-action', dashboard_link: 'https://docs.berbix.com' };
  return kind === 'finished'
    ? { user_id: 1234123412341234, code: '1234123412341234', ...decided }
    : { id: 1234123412341234, ...decided };
}

function newCode(): string {
  return String(randomBytes(6).readUIntBE(0, 6));
}
