import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Http } from '../../src/providers/provider.ts';
import type { OpenIdp } from '../../src/signin/method.ts';
import { saml } from '../../src/signin/saml.ts';
import { closeAll } from '../support/outbound.ts';
import {
  assertionOf,
  inSeconds,
  metadataOf,
  PUBLIC_URL,
  responseOf,
  sign,
  signedResponse,
} from '../support/saml-answer.ts';
import type { Wish } from '../support/saml-answer.ts';
import { createSigner } from '../support/saml-keys.ts';
import { broughtBack, createHttp, idpWith, refusalOf } from '../support/saml.ts';

const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
const signer = createSigner();
const stranger = createSigner('idp.example.com');
let http: Http;
let idp: OpenIdp;
beforeAll(() => {
  http = createHttp();
  idp = idpWith({ metadata_xml: metadataOf([signer]) });
});
afterAll(closeAll);

const finish = (xml: string, more = {}) => saml.finish(broughtBack(xml, more), idp, http);
const reasonOf = async (xml: string, more = {}) => (await refusalOf(finish(xml, more))).reason;
/** The text with one place in it replaced; the test is worth nothing if there is no such place. */
function change(xml: string, from: string | RegExp, to: string): string {
  const changed = xml.replace(from, to);
  expect(changed).not.toBe(xml);
  return changed;
}

test('what is asked below is accepted when nothing is wrong with it', async () => {
  expect(await finish(signedResponse(signer))).toMatchObject({ email: 'ada@example.com' });
});

describe('a signature', () => {
  test('is needed', async () => {
    expect(await reasonOf(responseOf())).toBe('unsigned_assertion');
  });

  test('of the response alone is not enough', async () => {
    expect(await reasonOf(sign(responseOf(), signer, { of: 'Response' }))).toBe('unsigned_assertion');
  });

  test('of the assertion has to be right also where that of the response is', async () => {
    const within = responseOf({}, sign(assertionOf(), stranger));
    expect(await reasonOf(sign(within, signer, { of: 'Response' }))).toBe('bad_signature');
  });

  test('by another key is refused', async () => {
    expect(await reasonOf(signedResponse(stranger))).toBe('bad_signature');
  });

  test('by another key is refused although its certificate comes along', async () => {
    const signed = responseOf({}, sign(assertionOf(), stranger, { keyInfo: true }));
    expect(signed).toContain('X509Certificate');
    expect(await reasonOf(signed)).toBe('bad_signature');
  });

  test.each(['ada@example.com', 'verify.example.com/saml/acs', 'PasswordProtectedTransport'])(
    'does not fit once “%s” is tampered with',
    async (text) => {
      const signed = signedResponse(signer, { responseIssuer: undefined, destination: undefined });
      expect(await reasonOf(change(signed, text, `${text}x`))).toBe('bad_signature');
    },
  );

  test.each([
    ['signature', { method: `${DSIG}rsa-sha1` }],
    ['digest', { digest: `${DSIG}sha1` }],
  ])('with SHA-1 as its %s is refused and says what to use', async (_, signing) => {
    const { reason, message } = await refusalOf(finish(responseOf({}, sign(assertionOf(), signer, signing))));
    expect(reason).toBe('bad_signature');
    expect(message).toContain('RSA-SHA256');
  });

  test('by the public key as a shared secret is refused', async () => {
    const signed = change(signedResponse(signer), /xmldsig-more#rsa-sha256/, 'xmldsig-more#hmac-sha256');
    expect(await reasonOf(signed)).toBe('bad_signature');
  });

  test('with a comment in its digest is refused', async () => {
    const signed = change(signedResponse(signer), /<ds:DigestValue>/, '<ds:DigestValue><!--x-->');
    const evil = change(signed, '>ada@', '>eve@');
    expect(await reasonOf(evil)).toBe('bad_signature');
  });

  test('with two lists of what is signed is refused', async () => {
    const signed = signedResponse(signer);
    const info = /<ds:SignedInfo>.*<\/ds:SignedInfo>/.exec(signed)?.[0] ?? '';
    expect(await reasonOf(change(signed, info, info + info))).toBe('bad_signature');
  });

  test('without a value is refused', async () => {
    const signed = change(signedResponse(signer), /<ds:SignatureValue>.*<\/ds:SignatureValue>/, '');
    expect(await reasonOf(signed)).toBe('bad_signature');
  });
});

describe('an assertion', () => {
  const cases: [string, Wish, string][] = [
    ['by another issuer', { issuer: 'https://evil.example' }, 'wrong_issuer'],
    ['without an issuer', { issuer: '' }, 'wrong_issuer'],
    ['in a response by another issuer', { responseIssuer: 'https://evil.example' }, 'wrong_issuer'],
    ['for another audience', { audience: 'https://other.example' }, 'wrong_audience'],
    ['for no audience', { audience: undefined }, 'wrong_audience'],
    [
      'for one more audience that is not us',
      {
        moreConditions:
          '<saml:AudienceRestriction><saml:Audience>https://other.example</saml:Audience></saml:AudienceRestriction>',
      },
      'wrong_audience',
    ],
    ['for another recipient', { recipient: `${PUBLIC_URL}/other` }, 'wrong_recipient'],
    ['for no recipient', { recipient: undefined }, 'wrong_recipient'],
    ['in a response for elsewhere', { destination: `${PUBLIC_URL}/other` }, 'wrong_destination'],
    ['that answers another request', { request: '_other' }, 'wrong_request'],
    ['in a response to another request', { responseRequest: '_other' }, 'wrong_request'],
    ['in a response to no request', { responseRequest: undefined }, 'wrong_request'],
    ['that answers no request', { request: undefined }, 'wrong_request'],
    ['that nobody asked for', { responseRequest: undefined, request: undefined }, 'wrong_request'],
    ['whose conditions are over', { notOnOrAfter: () => inSeconds(-61) }, 'response_expired'],
    ['that may no longer be brought', { confirmedUntil: () => inSeconds(-61) }, 'response_expired'],
    ['that is not valid yet', { notBefore: () => inSeconds(65) }, 'response_expired'],
    ['of a session that has ended', { sessionUntil: () => inSeconds(-61) }, 'response_expired'],
    ['that may be brought for ever', { confirmedUntil: () => undefined }, 'malformed_response'],
    ['of a sign-in an hour ago', { authnInstant: () => inSeconds(-3_600) }, 'stale_authentication'],
    ['of a sign-in before the click', { authnInstant: () => inSeconds(-75) }, 'stale_authentication'],
    ['of a sign-in that is still to come', { authnInstant: () => inSeconds(65) }, 'stale_authentication'],
    ['of a sign-in at an unknown time', { authnInstant: () => undefined }, 'stale_authentication'],
    ['with a time in no zone', { authnInstant: () => inSeconds(0).slice(0, -1) }, 'malformed_response'],
    ['with a condition nobody knows', { moreConditions: '<saml:Condition/>' }, 'malformed_response'],
    ['of nobody', { nameId: undefined }, 'no_subject'],
    ['of somebody without a name', { nameId: ' ' }, 'no_subject'],
    ['of two sign-ins', { moreAssertion: '<saml:AuthnStatement/>' }, 'malformed_response'],
  ];
  test.each(cases)('%s is refused', async (_, wish, reason) => {
    expect(await reasonOf(signedResponse(signer, wish))).toBe(reason);
  });

  test('that is not for whoever brings it, or for two, is refused', async () => {
    const changed = (from: string | RegExp, to: string) =>
      responseOf({}, sign(change(assertionOf(), from, to), signer));
    expect(await reasonOf(changed('cm:bearer', 'cm:sender-vouches'))).toBe('malformed_response');
    expect(await reasonOf(changed(/<saml:SubjectConfirmation .*<\/saml:SubjectConfirmation>/, '$&$&'))).toBe(
      'malformed_response',
    );
  });

  test('that ended or began less than a minute ago by a clock that is a little off still counts', async () => {
    const late = { notOnOrAfter: () => inSeconds(-50), confirmedUntil: () => inSeconds(-50) };
    expect(await finish(signedResponse(signer, late))).toMatchObject({ id: 'ada@example.com' });
    const early = { notBefore: () => inSeconds(50), authnInstant: () => inSeconds(50) };
    expect(await finish(signedResponse(signer, early))).toMatchObject({ id: 'ada@example.com' });
  });
});

describe('the name in an assertion', () => {
  test.each(['<!---->', '<![CDATA[]]>', '<?x?>'])(
    'is not cut short by %s that was put in after it was signed',
    async (evil) => {
      const signed = signedResponse(signer, { nameId: 'ada@example.com.evil.example' });
      const finished = finish(change(signed, /ada@example\.com\.evil/, `ada@example.com${evil}.evil`));
      const name = await finished.then(({ id, email }) => `${id} ${email}`).catch(() => 'refused');
      expect(['refused', 'ada@example.com.evil.example ada@example.com.evil.example']).toContain(name);
    },
  );

  test('is plain text', async () => {
    expect(await reasonOf(signedResponse(signer, { nameId: 'ada@example.com<b/>' }))).toBe(
      'malformed_response',
    );
  });
});

describe('a response', () => {
  const withMore = (moreResponse: string) =>
    signedResponse(signer).replace('</samlp:Response>', `${moreResponse}</samlp:Response>`);
  const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">${'bcdefgh'.replaceAll(
    /./g,
    (name) => `<!ENTITY ${name} "${`&${String.fromCodePoint((name.codePointAt(0) ?? 0) - 1)};`.repeat(10)}">`,
  )}]>`;
  const cases: [string, () => string][] = [
    ['with a document type', () => `<!DOCTYPE x SYSTEM "file:///etc/passwd">${signedResponse(signer)}`],
    ['with entities that grow', () => bomb + signedResponse(signer).replace('ada@', '&h;')],
    ['with an entity nobody declared', () => signedResponse(signer).replace('ada@', '&a;@')],
    ['that is no XML', () => 'SAML'],
    ['that ends too early', () => signedResponse(signer).slice(0, -20)],
    ['with something behind it', () => `${signedResponse(signer)}<x/>`],
    ['that is another document', () => '<html/>'],
    ['that is a bare assertion', () => sign(assertionOf(), signer)],
    ['of SAML 1.1', () => responseOf().replaceAll('SAML:2.0:protocol', 'SAML:1.0:protocol')],
    ['without an assertion', () => responseOf({}, '')],
    ['that is nothing', () => ''],
    ['of twenty thousand levels', () => withMore('<a>'.repeat(20_000) + '</a>'.repeat(20_000))],
    ['of thousands of elements', () => withMore('<a/>'.repeat(1_000))],
  ];
  test.each(cases)('%s is malformed', async (_, xml) => {
    expect(await reasonOf(xml())).toBe('malformed_response');
  });

  test('that is encrypted says how to turn that off', async () => {
    const xml = responseOf({}, '<saml:EncryptedAssertion><x/></saml:EncryptedAssertion>');
    const { reason, message } = await refusalOf(finish(xml));
    expect(reason).toBe('malformed_response');
    expect(message).toContain('turn encryption of assertions off');
  });

  test.each([
    ['no base64', '<Response/>'],
    ['no base64 in one place', `${Buffer.from(signedResponse(signer)).toString('base64')}*`],
    ['no UTF-8', Buffer.from(signedResponse(signer, { nameId: 'adä' }), 'latin1').toString('base64')],
    [
      '300 KB long',
      Buffer.from(signedResponse(signer, { moreResponse: ' '.repeat(230_000) })).toString('base64'),
    ],
  ])('that is %s is malformed', async (_, SAMLResponse) => {
    expect(await reasonOf('', { parameters: { SAMLResponse } })).toBe('malformed_response');
  });

  test('that is missing is malformed', async () => {
    expect(await reasonOf('', { parameters: {} })).toBe('malformed_response');
  });

  test('with two assertions that are both signed is refused', async () => {
    const second = sign(assertionOf({ assertionId: '_second' }), signer);
    const both = responseOf({}, sign(assertionOf(), signer) + second);
    expect(await reasonOf(both)).toBe('bad_signature');
  });

  test.each([
    [['Responder', 'RequestDenied'], 'access_denied'],
    [['RequestDenied'], 'access_denied'],
    [['Responder', 'AuthnFailed'], 'idp_error'],
    [['Responder', 'NoPassive'], 'idp_error'],
    [['Responder', 'NoAuthnContext'], 'idp_error'],
    [['Requester'], 'idp_error'],
  ])('with the status %j is told apart', async (status, reason) => {
    expect(await reasonOf(responseOf({ status }, ''))).toBe(reason);
  });

  test('that says no counts only as an answer to this request', async () => {
    const denied = { status: ['Responder', 'RequestDenied'] };
    expect(await reasonOf(responseOf({ ...denied, responseRequest: '_other' }, ''))).toBe('wrong_request');
    expect(await reasonOf(responseOf({ ...denied, responseIssuer: 'https://evil.example' }, ''))).toBe(
      'wrong_issuer',
    );
  });

  test('that failed counts for nobody, whatever is in it', async () => {
    expect(await reasonOf(signedResponse(signer, { status: ['Responder'] }))).toBe('idp_error');
  });
});
