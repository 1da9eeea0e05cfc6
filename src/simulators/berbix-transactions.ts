import { randomBytes, randomUUID } from 'node:crypto';
import { stringify } from 'lossless-json';
import type { SimulatedSession } from './simulator.ts';

export type Json = { [field: string]: unknown };
/** A transaction as Berbix keeps it; `action` is null until the person has finished. */
export type BerbixTransaction = SimulatedSession & {
  transactionId: bigint;
  hostedToken: string;
  refreshToken: string;
  redirectUrl: string | null;
  createdAt: string;
  completedAt: string | null;
  action: string | null;
  flags: readonly string[];
  deleted: boolean;
};

/** The person that a fetched transaction tells of: made up, and never to be seen outside that answer. */
export const PERSONAL = ['WILHELMINA', 'OXTOBY', '1987-11-30', 'D8830127R'] as const;

const BEYOND_DOUBLES = 2n ** 53n + 1n;

/** Compact JSON in which ids of 64 bits keep all their digits. */
export function toJson(value: Json): string {
  return stringify(value) ?? '';
}

/** A transaction that nobody has begun yet; `redirectUrl` is undefined for one without a hosted page. */
export function newTransaction(
  origin: string,
  customerUid: string,
  redirectUrl: string | null | undefined,
  now: Date,
): BerbixTransaction {
  const transactionId = BEYOND_DOUBLES + BigInt(`0x${randomBytes(7).toString('hex')}`);
  const hostedToken = newVendorToken();
  return {
    id: String(transactionId),
    transactionId,
    challengeId: customerUid,
    hostedToken,
    url: redirectUrl === undefined ? '' : `${origin}/hosted/${hostedToken}`,
    refreshToken: newVendorToken(),
    redirectUrl: redirectUrl ?? null,
    createdAt: timeOf(now),
    completedAt: null,
    action: null,
    flags: [],
    deleted: false,
  };
}

/** What a GET tells: personal data among it, and an action only once the person has finished. */
export function transactionBody(transaction: BerbixTransaction): Json {
  const { transactionId, challengeId, action, flags, createdAt, completedAt } = transaction;
  const [givenName, familyName, dateOfBirth, idNumber] = PERSONAL;
  const field = (value: string) => ({ value, confidence: 'high', sources: [] });
  const fields = {
    given_name: field(givenName),
    family_name: field(familyName),
    date_of_birth: field(dateOfBirth),
    id_number: field(idNumber),
  };
  return {
    entity: 'transaction_metadata',
    id: transactionId,
    flags,
    ...(action === null ? {} : { action, fields }),
    created_at: createdAt,
    ...(completedAt === null ? {} : { completed_at: completedAt }),
    customer_uid: challengeId,
    duplicates: [],
    dashboard_url: dashboardLink(transaction),
  };
}

/** Where staff would look at it. */
export function dashboardLink({ id }: Pick<BerbixTransaction, 'id'>): string {
  return `https://dashboard.berbix.example/transaction?orgId=123456789&transactionId=${id}`;
}

/** A token of no meaning. */
export function newVendorToken(): string {
  return randomUUID().replaceAll('-', '');
}

/** Nine fraction digits, as Berbix writes times; `nanoseconds` go on top of the milliseconds. */
export function timeOf(date: Date, nanoseconds = 0): string {
  const whole = BigInt(date.getTime()) * 1_000_000n + BigInt(nanoseconds);
  const seconds = new Date(Number(whole / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(whole % 1_000_000_000n).padStart(9, '0')}Z`;
}
