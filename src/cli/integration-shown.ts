import { X509Certificate } from 'node:crypto';
import { CHALLENGE_EVENTS } from '../deliveries/event-types.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { openHeaders, openTls } from '../tenants/sending.ts';
import type { Sealed, Tls } from '../tenants/sending.ts';

type Row = Sealed & {
  callback_url: string | null;
  events: string[];
  retry_waits_s: number[] | null;
  in_flight_cap: number | null;
};
type Certificate = { subject: string; expires_at: string };
/** How an integration's callbacks are sent, without anything secret. */
export type Shown = {
  callback_url: string | null;
  events: string[];
  retry_schedule: string | null;
  in_flight_cap: number | null;
  /** names only */
  headers: string[];
  ca: Certificate[];
  client_certificate: Certificate | null;
  /** headers or TLS are there, and ENCRYPTION_KEY does not open them */
  sealed: boolean;
};

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const UNITS: readonly [name: string, seconds: number][] = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
];

/** What may be shown of an integration's settings: of headers the names, of certificates subject and end. */
export function shownOf(sealer: Sealer, row: Row): Shown {
  const { callback_url, events, retry_waits_s, in_flight_cap } = row;
  return {
    ...{ callback_url, events, in_flight_cap },
    retry_schedule: retry_waits_s?.map(durationText).join(',') ?? null,
    ...openedOf(sealer, row),
  };
}

/** The same for people, one line each; only what differs from the server's settings. */
export function linesOf(shown: Shown): string[] {
  const { callback_url, events, retry_schedule, in_flight_cap, headers, ca, client_certificate } = shown;
  const isDefault = events.join() === CHALLENGE_EVENTS.join();
  return [
    `callbacks: ${callback_url ?? 'per request'}`,
    ...(isDefault ? [] : [`events: ${events.join(', ') || 'none'}`]),
    ...(retry_schedule === null ? [] : [`retries: ${retry_schedule}`]),
    ...(in_flight_cap === null ? [] : [`in flight: at most ${in_flight_cap}`]),
    ...(headers.length === 0 ? [] : [`headers: ${headers.join(', ')}`]),
    ...(ca.length === 0 ? [] : [`trusts only: ${ca.map(certificateText).join('; ')}`]),
    ...(client_certificate ? [`client certificate: ${certificateText(client_certificate)}`] : []),
    ...(shown.sealed ? ['headers or TLS: sealed under a key that ENCRYPTION_KEY does not hold'] : []),
  ];
}

function openedOf(sealer: Sealer, { id, headers_sealed, tls_sealed }: Sealed) {
  try {
    const headers = Object.keys(openHeaders(sealer, id, headers_sealed));
    return { headers, ...tlsOf(openTls(sealer, id, tls_sealed) ?? {}), sealed: false };
  } catch {
    // A list must show the other integrations all the same; doctor says what to do.
    return { headers: [], ca: [], client_certificate: null, sealed: true };
  }
}

function tlsOf({ ca = '', cert = '' }: Tls): Pick<Shown, 'ca' | 'client_certificate'> {
  return { ca: certificatesOf(ca), client_certificate: certificatesOf(cert)[0] ?? null };
}

function certificatesOf(pem: string): Certificate[] {
  return (pem.match(CERTIFICATES) ?? []).map((block) => {
    const { subject, validTo } = new X509Certificate(block);
    return { subject: subject.replaceAll('\n', ', '), expires_at: new Date(validTo).toISOString() };
  });
}

function certificateText({ subject, expires_at }: Certificate): string {
  return `${subject} (until ${expires_at.slice(0, 10)})`;
}

function durationText(seconds: number): string {
  const [unit, size] = UNITS.find(([, length]) => seconds % length === 0) ?? ['s', 1];
  return `${seconds / size}${unit}`;
}
