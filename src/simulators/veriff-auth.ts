import { hmacHex } from '../kernel/crypto.ts';

export type Credentials = { apiKey: string; secret: string };
/** `x`: the documented header names; `vrf`: the newer ones. */
export type HeaderNames = 'x' | 'vrf' | 'both';

/** The lowercase hex HMAC-SHA256 that Veriff puts beside every body. */
export function sign(secret: string, data: string | Buffer): string {
  return hmacHex(secret, data);
}

/** The header pair that authenticates `data`, under the wanted names. */
export function authHeaders(
  { apiKey, secret }: Credentials,
  data: string | Buffer,
  names: HeaderNames = 'x',
): Record<string, string> {
  const prefixes = names === 'both' ? ['x', 'vrf'] : [names];
  return Object.fromEntries(
    prefixes.flatMap((prefix) => [
      [`${prefix}-auth-client`, apiKey],
      [`${prefix}-hmac-signature`, sign(secret, data)],
    ]),
  );
}
