// How somebody elsewhere checks a proof: by RFC 7515 and RFC 7518 with nothing but Node's own crypto, apart from src and
// from the library that signs, so that a mistake there does not pass here too.
import { createPublicKey, verify } from 'node:crypto';
import type { JsonWebKey } from 'node:crypto';

export type Jwk = JsonWebKey & { kid: string };
export type Claims = Record<string, unknown>;

/** The header and the claims of a compact JWS, unchecked. */
export function partsOf(proof: string): { header: Claims; claims: Claims } {
  const [header = '', claims = ''] = proof.split('.');
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Claims;
  return { header: read(header), claims: read(claims) };
}

/** Whether one of the keys signed this, as ES256. */
export function isSigned(proof: string, keys: readonly Jwk[]): boolean {
  const [header = '', claims = '', signature = '', ...rest] = proof.split('.');
  const jwk = keys.find(({ kid }) => kid === partsOf(proof).header.kid);
  if (!jwk || rest.length > 0 || partsOf(proof).header.alg !== 'ES256') return false;
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const bytes = Buffer.from(signature, 'base64url');
  return verify('sha256', Buffer.from(`${header}.${claims}`), { key, dsaEncoding: 'ieee-p1363' }, bytes);
}
