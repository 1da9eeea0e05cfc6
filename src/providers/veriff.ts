import { parseUrl } from '../kernel/address.ts';
import { hmacHex, safeEqual, sha256 } from '../kernel/crypto.ts';
import { AppError } from '../kernel/errors.ts';
import type { OutboundAnswer } from '../kernel/outbound.ts';
import type { Http, Provider, RawRequest, Report, Settings, Webhook } from './provider.ts';

type Json = { [field: string]: unknown };

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 262_144;
const SIGNATURE = /^[0-9a-f]{64}$/i;
/** Stands in the audit trail for a status or action that is no word. */
const UNREADABLE = 'unreadable';

/**
 * Decision words that end a session. Codes are not looked at: Veriff's own pages disagree about them, and new words
 * may come at any time and then change nothing.
 */
const CONCLUSIVE: { [status: string]: Report['decision'] } = {
  approved: { to: 'verified' },
  declined: { to: 'failed', reason: 'declined' },
  expired: { to: 'expired', reason: 'provider_expired' },
  abandoned: { to: 'expired', reason: 'provider_abandoned' },
};

/** Veriff: sessions, decision and event webhooks, and reading a decision back. */
export const veriff: Provider = {
  label: 'Veriff',
  fields: {
    api_key: 'API key of the integration (Veriff Customer Portal → All Integrations → Settings)',
    shared_secret: 'Shared secret key of the same integration',
    base_url: 'Base URL of the same integration, such as https://stationapi.veriff.com',
  },

  async startSession({ challengeId, returnUrl }, settings, http) {
    const body = JSON.stringify({ verification: { callback: returnUrl, vendorData: challengeId } });
    const answer = await call(settings, http, { method: 'POST', path: '/sessions', signed: body, body });
    const session = asObject(parse(answer.body.toString('utf8'))?.verification);
    const { id, url } = session ?? {};
    if (typeof id !== 'string' || typeof url !== 'string' || !isWebUrl(url, http.reach.http)) {
      throw new AppError('unavailable', 'Veriff answered without a session');
    }
    return { sessionId: id, url };
  },

  openWebhook(request, settings) {
    const headers = [
      ['x-auth-client', 'x-hmac-signature'],
      ['vrf-auth-client', 'vrf-hmac-signature'],
    ] as const;
    // Newer deliveries carry VRF names, older ones X names, some both; whatever is there must be right.
    const present = headers.filter((names) => names.some((name) => request.headers[name] !== undefined));
    const authentic = present.every(
      ([client, signature]) =>
        safeEqual(header(request, client), settings.api_key ?? '') &&
        isSignature(header(request, signature), settings, request.body),
    );
    if (present.length === 0 || !authentic) throw new AppError('unauthorized', 'Invalid signature');
    return request.body.toString('utf8');
  },

  readWebhook(text) {
    const body = parse(text);
    const verification = asObject(body?.verification);
    if (body && verification && typeof verification.status === 'string' && body.eventType === undefined) {
      return readDecision(verification, text);
    }
    if (
      body &&
      typeof body.action === 'string' &&
      typeof body.code === 'number' &&
      typeof body.id === 'string'
    ) {
      return readEvent(body, text);
    }
    return { kind: 'unknown', eventKey: bodyKey(text), sessionId: undefined, report: undefined };
  },

  async fetchReport(sessionId, settings, http) {
    const path = `/sessions/${encodeURIComponent(sessionId)}/decision`;
    // A GET signs the id in its path (Veriff, HMAC authentication).
    const answer = await call(settings, http, { method: 'GET', path, signed: sessionId });
    const verification = asObject(parse(answer.body.toString('utf8'))?.verification);
    if (!verification || verification.id !== sessionId) return undefined;
    return readDecision(verification, '').report;
  },
};

function readDecision(verification: Json, text: string): Webhook {
  const { id, attemptId, status, decisionTime } = verification;
  const word = textOf(status) ?? UNREADABLE;
  return {
    kind: 'decision',
    eventKey: keyOf('decision', [id, attemptId, status, decisionTime], text),
    sessionId: textOf(id) ?? undefined,
    report: {
      decision: Object.hasOwn(CONCLUSIVE, word) ? CONCLUSIVE[word] : undefined,
      word,
      // A string by the documentation, a number in what some receivers saw.
      reasonCode:
        typeof verification.reasonCode === 'number'
          ? String(verification.reasonCode)
          : textOf(verification.reasonCode),
      decidedAt: sortableTime(decisionTime),
      challengeId: echoOf(verification.vendorData),
    },
  };
}

/** Events say how far the person is; they have no time and never decide. */
function readEvent(event: Json, text: string): Webhook {
  const { id, attemptId, action, feature, code } = event;
  return {
    kind: 'event',
    eventKey: keyOf('event', [id, attemptId, action, feature, code], text),
    sessionId: textOf(id) ?? undefined,
    report: {
      decision: undefined,
      word: textOf(action) ?? UNREADABLE,
      reasonCode: null,
      decidedAt: undefined,
      challengeId: echoOf(event.vendorData),
    },
  };
}

/** What makes two webhooks the same (Veriff names no delivery id); where a part is no plain value, only the same text is. */
function keyOf(kind: string, parts: unknown[], text: string): string {
  if (parts.some((part) => typeof part === 'object' && part !== null)) return bodyKey(text);
  return `${kind}:${sha256(JSON.stringify(parts.map((part) => part ?? null)))}`;
}

function bodyKey(text: string): string {
  return `body:${sha256(text)}`;
}

/** A time with 3, 6 or 9 fraction digits as seconds and nanoseconds that sort as text; `Date` would drop digits. */
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

type Call = { method: 'GET' | 'POST'; path: string; signed: string; body?: string };

async function call(
  settings: Settings,
  { outbound, reach }: Http,
  { method, path, signed, body }: Call,
): Promise<OutboundAnswer> {
  const { api_key = '', shared_secret = '', base_url = '' } = settings;
  const answer = await outbound.request({
    method,
    url: `${base_url.replace(/\/+$/, '').replace(/\/v1$/, '')}/v1${path}`,
    headers: {
      'content-type': 'application/json',
      'x-auth-client': api_key,
      'x-hmac-signature': hmacHex(shared_secret, signed),
    },
    ...(body === undefined ? {} : { body }),
    reach,
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_ANSWER_BYTES,
  });
  if (answer.status < 200 || answer.status > 299)
    throw new AppError('unavailable', `Veriff answered ${answer.status}`);
  const signatures = [answer.headers['x-hmac-signature'], answer.headers['vrf-hmac-signature']];
  // Not every answer is signed; whatever signature is there must be right.
  if (signatures.some((value) => value !== undefined && !isSignature(value, settings, answer.body))) {
    throw new AppError('unavailable', 'Veriff’s answer has a wrong signature');
  }
  return answer;
}

function isSignature(value: string, settings: Settings, body: Buffer): boolean {
  const { shared_secret } = settings;
  return (
    SIGNATURE.test(value) && !!shared_secret && safeEqual(value.toLowerCase(), hmacHex(shared_secret, body))
  );
}

function header(request: RawRequest, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}

function isWebUrl(url: string, http: boolean): boolean {
  const protocol = parseUrl(url)?.protocol;
  return protocol === 'https:' || (http && protocol === 'http:');
}

function parse(text: string): Json | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

/** Our id as it came back: only ever compared, so strange text stays what it is, a mismatch. */
function echoOf(vendorData: unknown): string | null {
  return typeof vendorData === 'string' ? vendorData : null;
}

/** An id, a word or a code; null for anything else, which PostgreSQL might refuse (NUL, half a surrogate pair) again and again. */
function textOf(value: unknown): string | null {
  return typeof value === 'string' && /^[\x20-\x7e]{1,200}$/.test(value) ? value : null;
}
