import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pino from 'pino';
import type { Http } from '../../src/providers/provider.ts';
import { SignInRefused } from '../../src/signin/method.ts';
import { saml } from '../../src/signin/saml.ts';
import { closeAll } from '../support/outbound.ts';
import { assertionOf, metadataOf, responseOf, sign, signedResponse } from '../support/saml-answer.ts';
import type { Wish } from '../support/saml-answer.ts';
import { createSigner } from '../support/saml-keys.ts';
import { broughtBack, createHttp, idpWith } from '../support/saml.ts';

const signer = createSigner();
/** What nobody wants in a log or on a terminal. */
const EVIL = `\u009B31m\u202E&#10;level=fatal&#27;[2K${'x'.repeat(5_000)}`;
const MAX_MESSAGE = 300;
let http: Http;
beforeAll(() => {
  http = createHttp();
});
afterAll(closeAll);

const signed = (wish: Wish) => signedResponse(signer, wish);
const unsigned = (wish: Wish) => responseOf(wish, '');
const odd = `a${'b'.repeat(5_000)}`;
const cases: [string, () => string][] = [
  ['the issuer of a response', () => unsigned({ responseIssuer: EVIL })],
  ['a destination', () => unsigned({ destination: EVIL })],
  ['a request', () => unsigned({ responseRequest: EVIL })],
  ['a status', () => unsigned({ status: [EVIL, EVIL] })],
  ['an issuer', () => signed({ issuer: EVIL })],
  ['a recipient', () => signed({ recipient: EVIL })],
  ['the request of an assertion', () => signed({ request: EVIL })],
  ['an audience', () => signed({ audience: EVIL })],
  ['a time', () => signed({ authnInstant: () => EVIL })],
  ['the end of a confirmation', () => signed({ confirmedUntil: () => EVIL })],
  ['the start of conditions', () => signed({ notBefore: () => EVIL })],
  ['a way of signing in', () => signed({ acr: EVIL })],
  ['a condition', () => signed({ moreConditions: `<${odd}/>` })],
  ['a name', () => signed({ nameId: EVIL })],
  ['an attribute', () => signed({ attributes: { mail: [EVIL] } })],
  ['the algorithm of a signature', () => signed({}).replace(/(SignatureMethod Algorithm=")/, `$1${EVIL}`)],
  ['the transform of a signature', () => signed({}).replace(/(Transform Algorithm=")/, `$1${EVIL}`)],
  ['an element that is no text', () => responseOf({ responseIssuer: `<${odd}/>` })],
  ['what is no XML', () => `<${odd} ${EVIL}>`],
  [
    'a name that is no text',
    () =>
      responseOf(
        {},
        sign(
          assertionOf().replace(/<saml:NameID.*<\/saml:NameID>/, `<saml:NameID><${odd}/></saml:NameID>`),
          signer,
        ),
      ),
  ],
];

test.each(cases)(
  '%s that is quoted for the log is cut, and cannot pass for something else there',
  async (_, xml) => {
    const idp = idpWith({ metadata_xml: metadataOf([signer]), required_acr: 'urn:other' });
    const finished = saml.finish(broughtBack(xml()), idp, http);
    const error: unknown = await finished.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SignInRefused);
    // As it is logged: with what caused it.
    const { message } = pino.stdSerializers.err(error as SignInRefused);
    expect(message).toMatch(/^[\x20-\x7E]+$/);
    expect(message.length).toBeLessThan(MAX_MESSAGE);
  },
);
