import { createHash, createPrivateKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Db } from '../db/database.ts';
import type { DB } from '../generated/database.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { AppError } from '../kernel/errors.ts';
import {
  deleteProofKey,
  insertProofKey,
  listProofKeys,
  lockProofKeys,
  retireProofKeys,
} from './proof-keys-store.ts';
import type { ProofKey } from './proof-keys-store.ts';

export type ProofKeyDeps = { db: Kysely<DB>; sealer: Sealer; now: () => Date };
/** What becomes of a key: it is published and waits, signs, or another has taken over. */
export type KeyState = 'next' | 'signing' | 'replaced';
/** A new key, from when on it signs, and the keys that no longer can. */
export type Rotated = { kid: string; signs_from: Date; retired: string[] };

const DAY_MS = 24 * 3_600_000;
/** How long a key signs. */
const LIFE_MS = 90 * DAY_MS;
/** How long before that it is published: copies of the list are to hold it by then. */
const AHEAD_MS = DAY_MS;
/** How long a replaced private half is kept, for servers whose clocks are behind. */
const OVERLAP_MS = 3_600_000;

/** Makes the key that is due, if any, and deletes private halves that no longer sign. Safe in many processes at once. */
export function renewProofKeys({ db, sealer, now }: ProofKeyDeps): Promise<void> {
  return db.transaction().execute(async (tx) => {
    await lockProofKeys(tx);
    const at = now();
    const able = (await listProofKeys(tx)).filter(canSign);
    const over = able.filter((_, index) => isPast(able[index + 1]?.signs_from, at, OVERLAP_MS));
    if (over.length > 0) await retireProofKeys(tx, over.map(kidOf), at);
    const newest = able.at(-1);
    if (!newest) await addKey(tx, sealer, at, at);
    else if (isPast(newest.signs_from, at, LIFE_MS - AHEAD_MS)) await addKey(tx, sealer, at, dayAfter(at));
  });
}

/** The private key that signs at this time, and its id. Makes one if there is none. */
export async function signingKey(deps: ProofKeyDeps): Promise<{ kid: string; key: KeyObject }> {
  let signer = signerOf(await listProofKeys(deps.db), deps.now());
  if (!signer) {
    await renewProofKeys(deps);
    signer = signerOf(await listProofKeys(deps.db), deps.now());
  }
  if (!signer?.private_sealed) throw new Error('there is no key to sign proofs with');
  const { kid, private_sealed } = signer;
  return { kid, key: createPrivateKey(deps.sealer.unseal(private_sealed, sealContext(kid))) };
}

/** Makes a key that takes over in a day, or at once, and then the keys before it can sign no more. For one transaction. */
export async function rotateProofKey(
  tx: Db,
  { sealer, at, atOnce }: { sealer: Sealer; at: Date; atOnce: boolean },
): Promise<Rotated> {
  await lockProofKeys(tx);
  const able = (await listProofKeys(tx)).filter(canSign);
  if (atOnce) {
    const retired = able.map(kidOf);
    if (retired.length > 0) await retireProofKeys(tx, retired, at);
    return { kid: await addKey(tx, sealer, at, at), signs_from: at, retired };
  }
  const waiting = able.find(({ signs_from }) => signs_from > at);
  if (waiting)
    throw new AppError(
      'conflict',
      `key ${waiting.kid} waits already, and signs from ${waiting.signs_from.toISOString()}`,
    );
  // The very first has nobody to wait for.
  const signs_from = able.length > 0 ? dayAfter(at) : at;
  return { kid: await addKey(tx, sealer, at, signs_from), signs_from, retired: [] };
}

/**
 * Takes a key out of the list for ever: from then on, nothing that it signed counts. If it was the one that signs, a new
 * one does at once. Undefined: there is no such key. For one transaction.
 */
export async function revokeProofKey(
  tx: Db,
  { sealer, at, kid }: { sealer: Sealer; at: Date; kid: string },
): Promise<{ signing: string } | undefined> {
  await lockProofKeys(tx);
  if (!(await deleteProofKey(tx, kid))) return undefined;
  const left = (await listProofKeys(tx)).filter((key) => canSign(key) && key.signs_from <= at);
  return { signing: signerOf(left, at)?.kid ?? (await addKey(tx, sealer, at, at)) };
}

/** The public halves of all keys, as RFC 7517 has them. */
export async function listPublicKeys(db: Db): Promise<object[]> {
  return (await listProofKeys(db)).map(({ public_jwk }) => public_jwk as object);
}

/** What each key does at this time; `keys` are all there are. */
export function stateOf(key: ProofKey, keys: readonly ProofKey[], at: Date): KeyState {
  if (key.kid === signerOf(keys, at)?.kid) return 'signing';
  return canSign(key) && key.signs_from > at ? 'next' : 'replaced';
}

/** The newest whose time has come; by a clock that is behind, the first whose time will come. */
function signerOf(keys: readonly ProofKey[], at: Date): ProofKey | undefined {
  const able = keys.filter(canSign);
  return able.findLast(({ signs_from }) => signs_from <= at) ?? able[0];
}

/** The private half is sealed, the id is the thumbprint of the public one (RFC 7638). */
async function addKey(tx: Db, sealer: Sealer, created_at: Date, signs_from: Date): Promise<string> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  await insertProofKey(tx, {
    kid,
    public_jwk: JSON.stringify({ kty, crv, x, y, kid, alg: 'ES256', use: 'sig' }),
    private_sealed: sealer.seal(pem, sealContext(kid)),
    created_at,
    signs_from,
  });
  return kid;
}

/** Where a private half belongs, so that one copied to another row does not open. */
export function sealContext(kid: string): string {
  return `proof_keys:${kid}`;
}

function canSign({ private_sealed }: ProofKey): boolean {
  return private_sealed !== null;
}

function kidOf({ kid }: ProofKey): string {
  return kid;
}

/** Whether that was at least so long ago. */
function isPast(time: Date | undefined, at: Date, ms: number): boolean {
  return time !== undefined && time.getTime() + ms <= at.getTime();
}

function dayAfter(at: Date): Date {
  return new Date(at.getTime() + AHEAD_MS);
}
