import {
  constants,
  createCipheriv,
  createPublicKey,
  generateKeyPair,
  publicDecrypt,
  randomBytes,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { Json } from './passbase-identities.ts';

const IV_BYTES = 16;
/** Passbase takes longer keys too; this one is made in a moment. */
const KEY_BITS = 2_048;

/** A webhook as it goes out: base64 of a fresh IV and what AES-256-CBC makes of the JSON. */
export function encryptWebhook(content: Json, secret: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-cbc', secret, iv);
  return Buffer.concat([iv, cipher.update(JSON.stringify(content)), cipher.final()]).toString('base64');
}

/** The metadata of a link's `p`, null if it carries none; undefined if it is not what the private key's owner made. */
export function openParameter(p: string | null, privateKey: string): Json | null | undefined {
  if (p === null) return null;
  try {
    const { metadata } = objectIn(bytesOf(p));
    if (metadata === undefined) return null;
    if (typeof metadata !== 'string') return undefined;
    const key = createPublicKey(privateKey);
    return objectIn(publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, bytesOf(metadata)));
  } catch {
    return undefined;
  }
}

/** A private key such as an operator makes. */
export async function newPrivateKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: KEY_BITS });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Nothing is made good: a `+` that became a space on its way is an error. */
function bytesOf(base64: string): Buffer {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) throw new Error('not base64');
  return bytes;
}

function objectIn(bytes: Buffer): Json {
  const value: unknown = JSON.parse(bytes.toString());
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('not an object');
  return value as Json;
}
