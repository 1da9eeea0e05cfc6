import { createDecipheriv } from 'node:crypto';
import { AppError } from '../kernel/errors.ts';
import { bodyKey, keyOf, parseObject, unknownWebhook } from './json.ts';
import { uuidOf } from './passbase-identities.ts';
import type { RawRequest, Settings, Webhook } from './provider.ts';

const BLOCK_BYTES = 16;
/** Projects from before 2020 may still send these; nothing here depends on them. */
const OLD_EVENT = /^AUTHENTICATION_[A-Z_]{1,50}$/;

/** Every event that Passbase documents, and whether it may mean that an identity's status has changed. */
const EVENTS: { [event: string]: { asks: boolean } } = {
  VERIFICATION_COMPLETED: { asks: true },
  VERIFICATION_REVIEWED: { asks: true },
  DATAPOINT_UPDATED: { asks: true },
  WATCHLIST_MONITORING: { asks: true },
  // A person whom Passbase knows already has shown their face again: no new verification.
  IDENTITY_AUTHENTICATED: { asks: false },
};

type Hint = { event: string; key: string; status: unknown; updated: unknown };

/**
 * The text of an encrypted webhook. It is always decrypted, whatever its content type says: a body in the clear would
 * be anyone's. There is no signature, and AES-CBC lets an attacker change what is decrypted, so every failure, of
 * whatever stage, gets one and the same answer, and what is opened is only a hint.
 */
export function openWebhook({ body }: RawRequest, { webhook_secret = '' }: Settings): string {
  const text = decrypt(body, webhook_secret);
  if (text === undefined || !readHint(text)) throw new AppError('unauthorized', 'Invalid signature');
  return text;
}

/** Recognises an opened webhook. What it says of the status is not taken over: it may differ from the identity's. */
export function readWebhook(text: string): Webhook {
  const hint = readHint(text);
  if (!hint) return unknownWebhook(text);
  const { event, key, status, updated } = hint;
  // The bodies of the later events are not documented; where they say less, the same text may tell of another change.
  const isTold = typeof status === 'string' && typeof updated === 'number';
  return {
    kind: event.toLowerCase(),
    eventKey: isTold ? keyOf(event.toLowerCase(), [key, status, updated], text) : bodyKey(text),
    sessionId: key,
    report: undefined,
    ask: EVENTS[event]?.asks ?? false,
    repeats: !isTold,
  };
}

function readHint(text: string): Hint | undefined {
  const { event, key: id, status, updated } = parseObject(text) ?? {};
  const key = uuidOf(id);
  if (typeof event !== 'string' || key === undefined) return undefined;
  if (!Object.hasOwn(EVENTS, event) && !OLD_EVENT.test(event)) return undefined;
  return { event, key, status, updated };
}

/** Opens base64 of IV and ciphertext (AES-256-CBC, PKCS#7); undefined if anything about it is wrong. */
function decrypt(body: Buffer, secret: string): string | undefined {
  // One line end is forgiven, as text/plain often ends with one; nothing else is but the one way to write these bytes.
  const base64 = body.toString('latin1').replace(/\r?\n$/, '');
  const sealed = Buffer.from(base64, 'base64');
  if (sealed.toString('base64') !== base64) return undefined;
  if (sealed.length < 2 * BLOCK_BYTES || sealed.length % BLOCK_BYTES !== 0) return undefined;
  try {
    const iv = sealed.subarray(0, BLOCK_BYTES);
    const decipher = createDecipheriv('aes-256-cbc', Buffer.from(secret), iv);
    const opened = Buffer.concat([decipher.update(sealed.subarray(BLOCK_BYTES)), decipher.final()]);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(opened);
  } catch {
    return undefined;
  }
}
