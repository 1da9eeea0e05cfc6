import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { shownSettings } from '../../src/cli/idp-settings.ts';
import type { Http } from '../../src/providers/provider.ts';
import { saml } from '../../src/signin/saml.ts';
import { closeAll } from '../support/outbound.ts';
import { metadataOf, PUBLIC_URL } from '../support/saml-answer.ts';
import { startSamlIdp } from '../support/saml-idp.ts';
import type { SamlIdp } from '../support/saml-idp.ts';
import { createSigner } from '../support/saml-keys.ts';
import { createHttp, idpWith } from '../support/saml.ts';

// Whoever sits at somebody's unlocked browser may change what it carries to the IdP.

const [own, other] = [createSigner('countersign'), createSigner('other')];
const settings = { metadata_url: '', metadata_xml: metadataOf([other]), max_attempts: '3' };
let http: Http;
let idp: SamlIdp;
beforeAll(async () => {
  http = createHttp();
  idp = await startSamlIdp({ signingCert: own.cert });
});
afterAll(async () => {
  await idp.close();
  await closeAll();
});

/** Where somebody is sent, with requests signed by this key. */
async function begin(signing_secret: string): Promise<URL> {
  const run = { state: 'the-state_of-this', loginHint: 'ada@example.com', publicUrl: PUBLIC_URL };
  const { url } = await saml.begin(run, idpWith({ metadata_url: idp.metadataUrl, signing_secret }), http);
  return new URL(url);
}

const statusOf = async (url: URL) => (await fetch(url)).status;

/** The same request without the wish for a new sign-in. */
function withoutForce(url: URL): URL {
  const changed = new URL(url);
  const zipped = Buffer.from(url.searchParams.get('SAMLRequest') ?? '', 'base64');
  const xml = inflateRawSync(zipped).toString();
  expect(xml).toContain('ForceAuthn="true"');
  const lax = xml.replace('ForceAuthn="true"', '');
  changed.searchParams.set('SAMLRequest', deflateRawSync(lax).toString('base64'));
  return changed;
}

describe('a request that is signed', () => {
  test('is taken by an IdP that knows the certificate, and by no other', async () => {
    expect(await statusOf(await begin(own.key))).toBe(200);
    expect(idp.requests.at(-1)).toMatchObject({ forceAuthn: 'true' });
    expect(await statusOf(await begin(other.key))).toBe(500);
    expect(await statusOf(await begin(''))).toBe(500);
  });

  test('is signed with SHA-256 over request, state and algorithm, as they stand in the address', async () => {
    const { search } = await begin(own.key);
    const parts = search.slice(1).split('&');
    const textOf = (name: string) => parts.find((part) => part.startsWith(`${name}=`)) ?? '';
    const text = ['SAMLRequest', 'RelayState', 'SigAlg'].map(textOf).join('&');
    expect(decodeURIComponent(textOf('SigAlg'))).toMatch(/#rsa-sha256$/);
    const signature = Buffer.from(
      decodeURIComponent(textOf('Signature').slice('Signature='.length)),
      'base64',
    );
    expect(verify('sha256', Buffer.from(text), createPublicKey(own.cert), signature)).toBe(true);
  });

  test('cannot be changed on the way, nor stripped of its signature', async () => {
    const changed = withoutForce(await begin(own.key));
    expect(await statusOf(changed)).toBe(500);
    for (const name of ['Signature', 'SigAlg']) changed.searchParams.delete(name);
    expect(await statusOf(changed)).toBe(500);
  });

  test('is signed by a key of either form of PEM, with or without its certificate', async () => {
    const old = String(createPrivateKey(own.key).export({ type: 'pkcs1', format: 'pem' }));
    expect(old).toContain('BEGIN RSA PRIVATE KEY');
    for (const secret of [old, own.cert + own.key, own.key.replaceAll('\n', '\r\n')]) {
      expect(() => saml.checkSettings?.({ ...settings, signing_secret: secret })).not.toThrow();
      expect(await statusOf(await begin(secret))).toBe(200);
    }
  });
});

describe('a key to sign with', () => {
  const check = (signing_secret: string) => () => saml.checkSettings?.({ ...settings, signing_secret });
  const pem = { type: 'pkcs8', format: 'pem' } as const;
  const rsa = (bits: number) => generateKeyPairSync('rsa', { modulusLength: bits }).privateKey;
  const cases: [string, () => string][] = [
    ['no key', () => 'secret'],
    ['a certificate', () => own.cert],
    ['a short key', () => String(rsa(1_024).export(pem))],
    ['another kind of key', () => createSigner('ec', { key: 'ec' }).key],
    [
      'a key with a passphrase',
      () => String(rsa(2_048).export({ ...pem, cipher: 'aes-256-cbc', passphrase: 'x' })),
    ],
  ];
  test.each(cases)('is not %s', (_, secret) => {
    expect(check(secret())).toThrow('signing_secret must be an RSA private key of 2048 bits or more');
  });

  test('need not be', () => {
    expect(check('')).not.toThrow();
  });

  test('is shown nowhere', () => {
    expect(JSON.stringify(shownSettings(saml, { ...settings, signing_secret: own.key }))).not.toContain(
      'PRIVATE',
    );
  });

  test('is told of where somebody sets up the IdP', () => {
    const linesWith = (signing_secret: string) =>
      saml.setUp(PUBLIC_URL, idpWith({ ...settings, signing_secret })).join('\n');
    expect(linesWith(own.key)).toContain('have the IdP demand signed requests');
    expect(linesWith(own.key)).not.toContain('PRIVATE');
    expect(linesWith('')).toContain('--signing-secret');
  });
});
