import { parseUrl } from '../kernel/address.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { OutboundError } from '../kernel/outbound.ts';
import type { Outbound, Reach, Timings } from '../kernel/outbound.ts';
import { callbackSecretContext } from '../tenants/keys.ts';
import { openHeaders, openTls } from '../tenants/sending.ts';
import type { Headers, Tls } from '../tenants/sending.ts';
import { signatureHeaders } from './callback.ts';
import type { Claimed, EndpointRow } from './claim-store.ts';

export type SendDeps = {
  outbound: Outbound;
  sealer: Sealer;
  reachOf: (mode: 'test' | 'live') => Reach;
};
/** How an endpoint's callbacks are sent: what is sealed in its row, opened. */
export type Route = { secrets: string[]; headers: Headers; tls: Tls; reach: Reach };
/** What one attempt came to; `rule` is the guard's, `retryAfter` the receiver's; the last three as in Outcome. */
export type Attempt = {
  duration_ms: number;
  dns_ms: number | null;
  connect_ms: number | null;
  first_byte_ms: number | null;
  status_code: number | null;
  error_class: string | null;
  error_message: string | null;
  response_excerpt: string | null;
  remote_address: string | null;
  retryAfter?: string | undefined;
  rule?: string | undefined;
  permanent?: boolean;
  unspent?: boolean;
  urgent?: boolean;
};

/** Everything from name resolution to the last byte of the answer (the contract says 10 seconds). */
const TIMEOUT_MS = 10_000;
const READ_BYTES = 65_536;
const EXCERPT_BYTES = 4_096;
export const MESSAGE_CHARS = 500;

/**
 * Opens what is sealed in an endpoint's row; throws when a key is missing. Headers and client certificate are meant for the
 * integration's own receiver: whoever may name another URL in a request does not get them sent there.
 */
export function routeOf({ sealer, reachOf }: SendDeps, row: EndpointRow): Route {
  const isOwn = row.callback_url !== null && parseUrl(row.callback_url)?.origin === row.origin;
  const { ca, ...identity } = openTls(sealer, row.integration_id, row.tls_sealed) ?? {};
  return {
    secrets: row.secrets_sealed.map((sealed, index) =>
      sealer.unseal(sealed, callbackSecretContext(row.secret_ids[index] ?? '')),
    ),
    headers: isOwn ? openHeaders(sealer, row.integration_id, row.headers_sealed) : {},
    tls: { ...(ca && { ca }), ...(isOwn && identity) },
    reach: reachOf(row.mode),
  };
}

/** All headers of one attempt but those of the connection; also what a preview shows. */
export function callbackHeaders(
  { secrets, headers }: Pick<Route, 'secrets' | 'headers'>,
  claimed: Pick<Claimed, 'id' | 'event_id' | 'attempt' | 'traceparent'> & { body: string },
  now: Date,
): Record<string, string> {
  return {
    ...headers,
    'content-type': 'application/json',
    ...signatureHeaders(claimed.body, claimed.event_id, secrets, now),
    'countersign-delivery': claimed.id,
    'countersign-attempt': String(claimed.attempt),
    ...(claimed.traceparent ? { traceparent: claimed.traceparent } : {}),
  };
}

/** Sends one callback once. Never throws: whatever goes wrong is an attempt with an error class. */
export async function send(
  { outbound }: SendDeps,
  route: () => Route,
  claimed: Claimed & { body: string },
  now: Date,
): Promise<Attempt> {
  const clock = performance.now();
  const tookMs = () => Math.round(performance.now() - clock);
  try {
    const { secrets, headers, reach, tls } = route();
    const answer = await outbound.request({
      method: 'POST',
      url: claimed.url,
      headers: callbackHeaders({ secrets, headers: {} }, claimed, now),
      extraHeaders: headers,
      body: claimed.body,
      reach,
      ...(Object.keys(tls).length > 0 ? { tls } : {}),
      timeoutMs: TIMEOUT_MS,
      maxBytes: READ_BYTES,
    });
    return {
      ...NOTHING,
      duration_ms: tookMs(),
      ...timed(answer.timings),
      status_code: answer.status,
      error_class: answer.status < 300 ? null : `http_${Math.floor(answer.status / 100)}xx`,
      response_excerpt: excerpt(answer.body),
      remote_address: answer.remoteAddress ?? null,
      retryAfter: answer.headers['retry-after'],
    };
  } catch (error) {
    // Our own mistakes must not look like the receiver's.
    const known = error instanceof OutboundError ? error : undefined;
    return {
      ...NOTHING,
      duration_ms: tookMs(),
      ...timed(known?.timings ?? {}),
      error_class: known?.errorClass ?? 'internal',
      error_message: (error as Error).message.slice(0, MESSAGE_CHARS),
      rule: known?.rule,
    };
  }
}

function timed({ dnsMs, connectMs, firstByteMs }: Timings) {
  const whole = (ms: number | undefined) => (ms === undefined ? null : Math.round(ms));
  return { dns_ms: whole(dnsMs), connect_ms: whole(connectMs), first_byte_ms: whole(firstByteMs) };
}

/** What is not known of an attempt that ended early. */
export const NOTHING = {
  dns_ms: null,
  connect_ms: null,
  first_byte_ms: null,
  status_code: null,
  error_class: null,
  error_message: null,
  response_excerpt: null,
  remote_address: null,
};

/** The start of an answer as text that PostgreSQL takes: no NUL, no broken UTF-8, and no longer than it came. */
function excerpt(body: Buffer): string | null {
  if (body.length === 0) return null;
  const text = decode(body.subarray(0, EXCERPT_BYTES)).replaceAll('\0', '\uFFFD');
  // Again, because one broken byte has become three.
  return Buffer.byteLength(text) <= EXCERPT_BYTES
    ? text
    : decode(Buffer.from(text).subarray(0, EXCERPT_BYTES)) || null;
}

/** As a stream, so that a character cut at the end is left out and not replaced. */
function decode(bytes: Buffer): string {
  return new TextDecoder().decode(bytes, { stream: true });
}
