import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { inflateRawSync } from 'node:zlib';
import type { Http } from '../../src/providers/provider.ts';
import { attributeOf, childNamed, parseXml, textOf } from '../../src/signin/saml-xml.ts';
import { saml } from '../../src/signin/saml.ts';
import { closeAll } from '../support/outbound.ts';
import {
  assertionOf,
  IDP,
  metadataOf,
  PASSWORD,
  PUBLIC_URL,
  responseOf,
  sign,
  signedResponse,
} from '../support/saml-answer.ts';
import type { Wish } from '../support/saml-answer.ts';
import { createSigner } from '../support/saml-keys.ts';
import { broughtBack, createHttp, idpWith, refusalOf } from '../support/saml.ts';

const signer = createSigner();
const next = createSigner('next.example.com');
let http: Http;
beforeAll(() => {
  http = createHttp();
});
afterAll(closeAll);

function finish(wish: Wish, settings: { [field: string]: string } = {}) {
  const idp = idpWith({ metadata_xml: metadataOf([signer]), ...settings });
  return saml.finish(broughtBack(signedResponse(signer, wish)), idp, http);
}

describe('what the IdP is asked', () => {
  async function begin(settings: { [field: string]: string } = {}, metadata = metadataOf([signer])) {
    const run = { state: 'the-state', loginHint: 'ada@example.com', publicUrl: PUBLIC_URL };
    const { url, kept } = await saml.begin(run, idpWith({ metadata_xml: metadata, ...settings }), http);
    const { searchParams } = new URL(url);
    const zipped = Buffer.from(searchParams.get('SAMLRequest') ?? '', 'base64');
    return { url, kept, searchParams, request: parseXml(inflateRawSync(zipped).toString()) };
  }

  test('is to let the person sign in anew and to answer here', async () => {
    const { url, kept, searchParams, request } = await begin();
    expect(url.startsWith(`${IDP}/sso?`)).toBe(true);
    expect(searchParams.get('RelayState')).toBe('the-state');
    expect(searchParams.get('login_hint')).toBe('ada@example.com');
    expect(attributeOf(request, 'ID')).toBe(kept.request_id);
    expect(attributeOf(request, 'ForceAuthn')).toBe('true');
    expect(attributeOf(request, 'Destination')).toBe(`${IDP}/sso`);
    expect(attributeOf(request, 'AssertionConsumerServiceURL')).toBe(`${PUBLIC_URL}/saml/acs`);
    expect(textOf(childNamed(request, 'assertion', 'Issuer') as Element)).toBe(`${PUBLIC_URL}/saml/metadata`);
    const policy = childNamed(request, 'protocol', 'NameIDPolicy') as Element;
    expect(attributeOf(policy, 'Format')).toBeUndefined();
    expect(childNamed(request, 'protocol', 'RequestedAuthnContext')).toBeUndefined();
  });

  test('has an id that nobody can guess, and another one each time', async () => {
    const ids = [(await begin()).kept.request_id, (await begin()).kept.request_id];
    expect(ids[0]).toMatch(/^_[0-9a-f]{40}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test('names the ways of signing in that count', async () => {
    const { request } = await begin({ required_acr: `${PASSWORD}  urn:mfa` });
    const wanted = childNamed(request, 'protocol', 'RequestedAuthnContext') as Element;
    expect(attributeOf(wanted, 'Comparison')).toBe('exact');
    expect(Array.from(wanted.childNodes).map(({ textContent }) => textContent)).toEqual([
      PASSWORD,
      'urn:mfa',
    ]);
  });

  test('keeps what stands in the IdP’s address already', async () => {
    const { searchParams } = await begin(
      {},
      metadataOf([signer], { signInUrl: `${IDP}/sso?idpid=C0&amp;x=1` }),
    );
    expect(searchParams.get('idpid')).toBe('C0');
    expect(searchParams.get('SAMLRequest')).not.toBeNull();
  });

  test.each(['http://idp.example.com/sso', 'javascript:alert(1)'])(
    'is not asked at %s where only https counts',
    async (signInUrl) => {
      const run = { state: 'the-state', loginHint: null, publicUrl: PUBLIC_URL };
      const idp = idpWith({ metadata_xml: metadataOf([signer], { signInUrl }) });
      const narrow = { ...http, reach: { http: false, loopback: false } };
      await expect(saml.begin(run, idp, narrow)).rejects.toMatchObject({ reason: 'idp_unavailable' });
    },
  );
});

describe('who signed in', () => {
  test('is told in full', async () => {
    const authnInstant = new Date(Date.now() - 2_000).toISOString();
    const signIn = await finish({ authnInstant: () => authnInstant });
    expect(signIn).toEqual({
      ...{ issuer: IDP, id: 'ada@example.com', email: 'ada@example.com', claim: [], amr: [] },
      ...{ acr: PASSWORD, auth_time: Date.parse(authnInstant) / 1_000 },
      once: { key: expect.stringMatching(/^[0-9a-f]{64}$/), until: expect.any(Date) },
    });
  });

  test('is told once: the key stands for the assertion, and is kept as long as that could be brought again', async () => {
    const end = Date.now() + 300_000;
    const wish = { confirmedUntil: () => new Date(end).toISOString() };
    const [first, again, other] = [
      await finish(wish),
      await finish(wish),
      await finish({ ...wish, assertionId: '_another' }),
    ];
    expect(again.once).toEqual(first.once);
    expect(other.once?.key).not.toBe(first.once?.key);
    expect(first.once?.until.getTime()).toBe(end + 60_000);
  });

  test('did so by the methods that Microsoft’s attribute tells', async () => {
    const methods = ['http://schemas.microsoft.com/claims/multipleauthn', 'urn:x'];
    const attributes = { 'http://schemas.microsoft.com/claims/authnmethodsreferences': methods };
    expect(await finish({ attributes })).toMatchObject({ amr: methods });
  });

  test('counts if the way is one of those required, and not otherwise', async () => {
    const required_acr = `urn:other ${PASSWORD}`;
    expect(await finish({}, { required_acr })).toMatchObject({ acr: PASSWORD });
    expect((await refusalOf(finish({ acr: 'urn:weak' }, { required_acr }))).reason).toBe('insufficient_acr');
    expect((await refusalOf(finish({ acr: undefined }, { required_acr }))).reason).toBe('insufficient_acr');
    expect(await finish({ acr: undefined })).toMatchObject({ acr: null });
  });

  test('counts whichever of the IdP’s certificates signed', async () => {
    const idp = idpWith({ metadata_xml: metadataOf([signer, next], { use: '' }) });
    for (const pair of [signer, next])
      expect(await saml.finish(broughtBack(signedResponse(pair)), idp, http)).toMatchObject({ issuer: IDP });
  });

  test('counts if response and assertion are both signed', async () => {
    const signed = sign(responseOf({}, sign(assertionOf(), signer)), signer, { of: 'Response' });
    const idp = idpWith({ metadata_xml: metadataOf([signer]) });
    expect(await saml.finish(broughtBack(signed), idp, http)).toMatchObject({ email: 'ada@example.com' });
  });

  test('counts if the response leaves out what the assertion says', async () => {
    expect(await finish({ responseIssuer: undefined, destination: undefined })).toMatchObject({
      issuer: IDP,
    });
  });
});
