import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  privateEncrypt,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { below } from './call.ts';
import type { Settings } from './provider.ts';

const KEY_BITS = 4_096;

/**
 * The hosted step for one run of a challenge. Both ids travel as `metadata`, encrypted with our private key: anyone who holds the
 * public key reads it, nobody else can make another. Passbase opens it and shows it with the identity.
 */
export function linkFor(challengeId: string, settings: Settings, runId?: string): string {
  const { private_key = '', verify_url = '', slug = '' } = settings;
  const metadata = privateEncrypt(
    { key: private_key, padding: constants.RSA_PKCS1_PADDING },
    Buffer.from(JSON.stringify({ challenge_id: challengeId, run_id: runId })),
  );
  const parameter = parameterOf({ metadata: metadata.toString('base64') });
  return below(verify_url, `/${encodeURIComponent(slug)}?p=${parameter}`);
}

/** What stands behind `?p=`: base64 of the JSON, percent-encoded, for `+`, `/` and `=` would not survive. */
export function parameterOf(content: object): string {
  return encodeURIComponent(Buffer.from(JSON.stringify(content)).toString('base64'));
}

/** A new private key as PEM; making it takes about a second. */
export function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: KEY_BITS });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The public half of a private key, as the PEM that is pasted at Passbase. */
export function publicKeyOf(privateKey: string): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString().trim();
}

/** The private key in this PEM; undefined if there is none, or one that a passphrase protects. */
export function readPrivateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
