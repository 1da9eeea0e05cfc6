import { hmacBase64, hmacHex } from '../kernel/crypto.ts';

const STANDARD_PREFIX = 'whsec_';

/**
 * The headers that sign a callback. `secrets` are newest first; throws when there is none.
 * `X-Webhook-Signature` holds one value, so it uses the oldest secret until that ends; its key is the secret's text
 * as it stands. The Standard Webhooks headers carry one signature per secret; their key is the decoded part of a
 * `whsec_` secret, else the text.
 */
export function signatureHeaders(
  body: string,
  eventId: string,
  secrets: readonly string[],
  now: Date,
): Record<string, string> {
  const timestamp = Math.floor(now.getTime() / 1_000);
  const signed = `${eventId}.${timestamp}.${body}`;
  const oldest = secrets.at(-1);
  // An empty key would sign just as well, and anybody could.
  if (oldest === undefined) throw new Error('the integration has no valid callback secret');
  return {
    'x-webhook-signature': `sha256=${hmacHex(oldest, body)}`,
    'webhook-id': eventId,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': secrets.map((secret) => `v1,${hmacBase64(standardKey(secret), signed)}`).join(' '),
  };
}

function standardKey(secret: string): Buffer {
  if (!secret.startsWith(STANDARD_PREFIX)) return Buffer.from(secret);
  return Buffer.from(secret.slice(STANDARD_PREFIX.length), 'base64');
}
