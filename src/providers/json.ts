import { isSafeNumber, parse } from 'lossless-json';
import { sha256 } from '../kernel/crypto.ts';
import type { Webhook } from './provider.ts';

export type Json = { [field: string]: unknown };

/** Stands where a provider's word is no plain word. */
export const UNREADABLE = 'unreadable';
const MAX_WORD = 200;

/**
 * A JSON object from a provider; undefined for anything else, also where a key stands twice with different values:
 * readers would differ about what it says. Integers too large for a number stay text.
 */
export function parseObject(text: string): Json | undefined {
  try {
    return asObject(parse(text, undefined, numberOf));
  } catch {
    return undefined;
  }
}

/** The value if it is an object. */
export function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

/** The objects of a list; none if it is no list. */
export function objectsOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(asObject).filter((one) => one !== undefined) : [];
}

/** An id or a word; null for anything else, which PostgreSQL might refuse (NUL, half a surrogate pair) again and again. */
export function wordOf(value: unknown): string | null {
  return typeof value === 'string' && /^[\x20-\x7e]{1,200}$/.test(value) ? value : null;
}

/** A key, a secret or a token: printable and without spaces, so fit for a header, whoever sent it. */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{1,8192}$/.test(value);
}

/** An id or a code that may come as a number too, as text; else null. */
export function codeOf(value: unknown): string | null {
  return wordOf(typeof value === 'number' ? String(value) : value);
}

/** A provider's own wording in any language, cut short, without what could not be stored or shown; null if there is none. */
export function wordingOf(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  // Through UTF-8 and back: half a surrogate pair becomes U+FFFD.
  const text = Buffer.from(value.slice(0, MAX_WORD)).toString();
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '').trim() || null;
}

/** Our challenge id as it came back, only ever compared: null where there is none, a mismatch where it is no text. */
export function echoOf(value: unknown): string | null {
  if (value === undefined || value === null || value === '') return null;
  return typeof value === 'string' ? value : UNREADABLE;
}

/** What makes two webhooks the same where there is no delivery id; where a part is no plain value, only the same text is. */
export function keyOf(kind: string, parts: unknown[], text: string): string {
  if (parts.some((part) => typeof part === 'object' && part !== null)) return bodyKey(text);
  return `${kind}:${sha256(JSON.stringify(parts.map((part) => part ?? null)))}`;
}

/** The event key of a webhook that is the same only when its text is. */
export function bodyKey(text: string): string {
  return `body:${sha256(text)}`;
}

/** An authentic webhook that tells nothing we know: it is kept, and changes nothing. */
export function unknownWebhook(text: string): Webhook {
  return { kind: 'unknown', eventKey: bodyKey(text), sessionId: undefined, report: undefined };
}

/** A provider's time as it wrote it, if it can be put in order. */
export function timeOf(value: unknown): string | null {
  return typeof value === 'string' && sortableTime(value) !== undefined ? value : null;
}

/** A time with up to 9 fraction digits as seconds and nanoseconds that sort as text; `Date` would drop digits. */
export function sortableTime(value: unknown): string | undefined {
  const match =
    typeof value === 'string'
      ? /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(value)
      : null;
  if (!match) return undefined;
  const seconds = Date.parse(`${match[1]}${match[3]}`) / 1_000;
  if (!Number.isFinite(seconds) || seconds < 0) return undefined;
  return `${String(seconds).padStart(12, '0')}.${(match[2] ?? '').padEnd(9, '0')}`;
}

function numberOf(text: string): number | string {
  return isSafeNumber(text) || !/^-?\d+$/.test(text) ? Number(text) : text;
}
