import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  randomBytes,
  randomInt,
  timingSafeEqual,
} from 'node:crypto';

const TOKEN_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const SEAL_VERSION = 'v1';

/** SHA-256 of text (UTF-8) or bytes, as lowercase hex. */
export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** HMAC-SHA256 as lowercase hex; a string key counts as its UTF-8 bytes. */
export function hmacHex(key: string | Buffer, data: string | Buffer): string {
  return createHmac('sha256', key).update(data).digest('hex');
}

/** HMAC-SHA256 as base64; a string key counts as its UTF-8 bytes. */
export function hmacBase64(key: string | Buffer, data: string | Buffer): string {
  return createHmac('sha256', key).update(data).digest('base64');
}

/** Constant-time comparison that also answers for unequal lengths. */
export function safeEqual(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

/** 256 random bits as base64url, fit for links, keys and nonces. */
export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

/** Two random digits, by which two people know that they speak of the same thing. No secret. */
export function newVerificationCode(): string {
  return String(randomInt(100)).padStart(2, '0');
}

/** A new callback secret in the Standard Webhooks form: `whsec_` and 32 random bytes in base64. */
export function newWebhookSecret(): string {
  return `whsec_${randomBytes(TOKEN_BYTES).toString('base64')}`;
}

/** Encrypts secrets at rest. `context` says where the value belongs; it opens nowhere else. */
export type Sealer = {
  seal(text: string, context: string): string;
  unseal(sealed: string, context: string): string;
};

/** AES-256-GCM under the first key; values sealed under any of the keys still open (that is how keys are replaced). */
export function createSealer(keys: readonly Buffer[]): Sealer {
  const [current] = keys;
  if (!current) throw new Error('createSealer needs at least one key');
  const byId = new Map(keys.map((key) => [keyId(key), key]));

  return {
    seal(text, context) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', current, iv).setAAD(Buffer.from(context));
      const bytes = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return [SEAL_VERSION, keyId(current), iv.toString('base64url'), bytes.toString('base64url')].join('.');
    },
    unseal(sealed, context) {
      const [version, id, iv, data] = sealed.split('.');
      if (version !== SEAL_VERSION || !id || !iv || !data) throw new Error('not a sealed value');
      const key = byId.get(id);
      if (!key) throw new Error(`sealed under key ${id}, which ENCRYPTION_KEY does not hold`);
      const bytes = Buffer.from(data, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-TAG_BYTES));
      return decipher.update(bytes.subarray(0, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    },
  };
}

function keyId(key: Buffer): string {
  return sha256(key).slice(0, 8);
}
