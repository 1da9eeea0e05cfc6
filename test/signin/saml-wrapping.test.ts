import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Http } from '../../src/providers/provider.ts';
import { saml } from '../../src/signin/saml.ts';
import { closeAll } from '../support/outbound.ts';
import { assertionOf, metadataOf, responseOf, sign } from '../support/saml-answer.ts';
import { createSigner } from '../support/saml-keys.ts';
import { broughtBack, createHttp, idpWith, refusalOf } from '../support/saml.ts';

// XML signature wrapping: what is signed stays somewhere in the document, and something else stands where it is looked for
// (Somorovsky and others, On Breaking SAML, 2012; numbered as there).

const signer = createSigner();
let http: Http;
beforeAll(() => {
  http = createHttp();
});
afterAll(closeAll);

const SIGNATURE = /<ds:Signature[^]*?<\/ds:Signature>/;
const signed = sign(assertionOf(), signer);
const signature = SIGNATURE.exec(signed)?.[0] ?? '';
const bare = signed.replace(SIGNATURE, '');
const evil = assertionOf({ assertionId: '_evil', nameId: 'eve@example.com' });
/** The evil assertion with this behind its issuer, where a signature stands. */
const evilWith = (xml: string) => evil.replace('</saml:Issuer>', `</saml:Issuer>${xml}`);
const withObject = (xml: string) =>
  signature.replace('</ds:Signature>', `<ds:Object>${xml}</ds:Object></ds:Signature>`);

const response = sign(responseOf({}, signed), signer, { of: 'Response' });
const [responseSignature = ''] = SIGNATURE.exec(response) ?? [];
const bareResponse = response.replace(responseSignature, '');
const evilResponse = (xml: string) =>
  responseOf({ responseId: '_evil' }, evil).replace(
    '</saml:Issuer><samlp:Status>',
    `</saml:Issuer>${xml}<samlp:Status>`,
  );

const variants: [string, string][] = [
  [
    'XSW1: the signed response inside its signature in an evil one',
    evilResponse(responseSignature.replace('</ds:Signature>', `${bareResponse}</ds:Signature>`)),
  ],
  [
    'XSW2: the signed response beside its signature in an evil one',
    evilResponse(bareResponse + responseSignature),
  ],
  ['XSW3: an evil assertion before the signed one', responseOf({}, evil + signed)],
  ['an evil assertion after the signed one', responseOf({}, signed + evil)],
  ['XSW4: the signed assertion inside the evil one', responseOf({}, evilWith(signed))],
  [
    'XSW5: the signature in the evil assertion, what it signs at the end',
    responseOf({}, evilWith(signature) + bare),
  ],
  [
    'XSW6: the signed assertion inside the signature of the evil one',
    responseOf({}, evilWith(signature.replace('</ds:Signature>', `${bare}</ds:Signature>`))),
  ],
  [
    'XSW7: the evil assertion among extensions',
    responseOf({}, `<samlp:Extensions>${evil}</samlp:Extensions>${signed}`),
  ],
  [
    'the signed assertion among extensions',
    responseOf({}, `<samlp:Extensions>${signed}</samlp:Extensions>${evil}`),
  ],
  ['XSW8: the signed assertion in an object of the signature', responseOf({}, evilWith(withObject(bare)))],
  [
    'the evil assertion in an object of the signature',
    responseOf({}, signed.replace(signature, withObject(evil))),
  ],
  [
    'an evil assertion with the same ID',
    responseOf(
      {},
      assertionOf({ nameId: 'eve@example.com' }).replace('</saml:Issuer>', `$&${signature}`) + bare,
    ),
  ],
  ['an evil assertion with a copy of the signature', responseOf({}, evilWith(signature))],
  [
    'an evil assertion with two signatures',
    responseOf({}, sign(evil, createSigner()).replace('<ds:Signature', `${signature}<ds:Signature`)),
  ],
  [
    'an evil assertion in another namespace',
    responseOf({}, signed + evil.replaceAll('SAML:2.0:assertion', 'SAML:1.0:assertion')),
  ],
  [
    'the same ID on another element',
    responseOf({}, signed).replace('<samlp:Status>', '<samlp:Status ID="_assertion">'),
  ],
];

test('what is wrapped below is accepted as it was signed', async () => {
  const idp = idpWith({ metadata_xml: metadataOf([signer]) });
  for (const xml of [responseOf({}, signed), response])
    expect(await saml.finish(broughtBack(xml), idp, http)).toMatchObject({ id: 'ada@example.com' });
});

test('a signature with room for more in it is refused, whatever it holds', async () => {
  const idp = idpWith({ metadata_xml: metadataOf([signer]) });
  const xml = responseOf({}, signed.replace(signature, withObject('<x/>')));
  expect((await refusalOf(saml.finish(broughtBack(xml), idp, http))).reason).toBe('bad_signature');
});

test.each(variants)('%s is refused', async (_, xml) => {
  expect(xml).toMatch(/eve@example\.com|ID="_assertion">.*ID="_assertion"/);
  const idp = idpWith({ metadata_xml: metadataOf([signer]) });
  const { reason } = await refusalOf(saml.finish(broughtBack(xml), idp, http));
  expect(reason).toBe('bad_signature');
});
