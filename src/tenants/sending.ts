import type { Sealer } from '../kernel/crypto.ts';

/** A CA to trust instead of the public ones, and a certificate to show, as PEM. */
export type Tls = { ca?: string; cert?: string; key?: string };
export type Headers = { [name: string]: string };
/** What an integration's row holds of both. */
export type Sealed = { id: string; headers_sealed: string | null; tls_sealed: string | null };

const context = {
  headers: (integrationId: string) => `integrations:${integrationId}:headers`,
  tls: (integrationId: string) => `integrations:${integrationId}:tls`,
};

/** The headers that an integration adds to its callbacks, sealed for its row; null when there are none. */
export function sealHeaders(sealer: Sealer, integrationId: string, headers: Headers): string | null {
  if (Object.keys(headers).length === 0) return null;
  return sealer.seal(JSON.stringify(headers), context.headers(integrationId));
}

/** The CA and client certificate of an integration, sealed for its row; null when there are none. */
export function sealTls(sealer: Sealer, integrationId: string, tls: Tls): string | null {
  if (Object.keys(tls).length === 0) return null;
  return sealer.seal(JSON.stringify(tls), context.tls(integrationId));
}

/** What sealHeaders has sealed; nothing sealed is no headers. */
export function openHeaders(sealer: Sealer, integrationId: string, sealed: string | null): Headers {
  return sealed === null
    ? {}
    : (JSON.parse(sealer.unseal(sealed, context.headers(integrationId))) as Headers);
}

/** What sealTls has sealed, if anything. */
export function openTls(sealer: Sealer, integrationId: string, sealed: string | null): Tls | undefined {
  return sealed === null ? undefined : (JSON.parse(sealer.unseal(sealed, context.tls(integrationId))) as Tls);
}

/** The same headers and TLS under the key that seals now. */
export function sealAnew(sealer: Sealer, { id, headers_sealed, tls_sealed }: Sealed): Omit<Sealed, 'id'> {
  return {
    headers_sealed: sealHeaders(sealer, id, openHeaders(sealer, id, headers_sealed)),
    tls_sealed: sealTls(sealer, id, openTls(sealer, id, tls_sealed) ?? {}),
  };
}
