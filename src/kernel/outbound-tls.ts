import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { sha256 } from './crypto.ts';

/**
 * What one integration needs for TLS, all in PEM. With `ca`, those certificates are the only roots that are trusted:
 * they replace the public ones, which have no say about an in-house receiver. `cert` and `key` prove who we are.
 * Certificate and host name are always verified; nothing here switches that off.
 */
export type Tls = { ca?: string | undefined; cert?: string | undefined; key?: string | undefined };

const PEM_MAX_CHARACTERS = 64 * 1024;
const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const ENCRYPTED = /BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/;

/** Throws Error with the cure when no connection could be made with these; returns what will fail only for some receivers. */
export function checkTls({ ca, cert, key }: Tls, now = new Date()): string[] {
  const roots = ca === undefined ? [] : readCertificates(ca, 'CA');
  const chain = cert === undefined ? [] : readCertificates(cert, 'client');
  if ((cert === undefined) !== (key === undefined))
    throw new Error('A client certificate and its key are needed together. Give both, or neither.');
  const [leaf] = chain;
  if (leaf && key !== undefined && !leaf.checkPrivateKey(readKey(key)))
    throw new Error('The key does not belong to the first client certificate. Put that certificate first.');
  try {
    createSecureContext({ ...(ca && { ca }), ...(cert && key && { cert, key }) });
  } catch (error) {
    throw new Error(`The certificates cannot be used for TLS: ${(error as Error).message}.`, {
      cause: error,
    });
  }
  return [...roots, ...chain].flatMap((certificate) => expiry(certificate, now));
}

/** Two requests may share a connection only when this is the same for both. */
export function tlsIdentity({ ca, cert, key }: Tls): string {
  return sha256(JSON.stringify([ca, cert, key]));
}

function readCertificates(pem: string, what: string): X509Certificate[] {
  const blocks = pem.length > PEM_MAX_CHARACTERS ? [] : (pem.match(CERTIFICATES) ?? []);
  try {
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block));
  } catch {
    // the sentence below says it better than OpenSSL
  }
  throw new Error(
    `The ${what} certificate is not one in PEM form. It starts with -----BEGIN CERTIFICATE----- and has at most ${PEM_MAX_CHARACTERS} characters.`,
  );
}

function readKey(pem: string): KeyObject {
  if (ENCRYPTED.test(pem))
    throw new Error(
      'The key is encrypted. Give it without a passphrase, as from: openssl pkey -in key.pem -out plain.pem',
    );
  try {
    return createPrivateKey(pem);
  } catch {
    // not the words of OpenSSL, which could quote the key
    throw new Error('The key is not a private key in PEM form. It starts with -----BEGIN PRIVATE KEY-----.');
  }
}

function expiry({ subject, validFrom, validTo }: X509Certificate, now: Date): string[] {
  const name = subject.replaceAll('\n', ', ');
  if (new Date(validTo) < now) return [`The certificate of ${name} expired on ${validTo}.`];
  if (new Date(validFrom) > now) return [`The certificate of ${name} is valid only from ${validFrom}.`];
  return [];
}
