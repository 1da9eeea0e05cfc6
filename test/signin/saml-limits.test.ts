import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Http } from '../../src/providers/provider.ts';
import { saml } from '../../src/signin/saml.ts';
import { closeAll } from '../support/outbound.ts';
import { assertionOf, metadataOf, responseOf, sign, signedResponse } from '../support/saml-answer.ts';
import { createSigner } from '../support/saml-keys.ts';
import { broughtBack, createHttp, idpWith, refusalOf } from '../support/saml.ts';

const C14N = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const signer = createSigner();
let http: Http;
beforeAll(() => {
  http = createHttp();
});
afterAll(closeAll);

const finish = (xml: string) =>
  saml.finish(broughtBack(xml), idpWith({ metadata_xml: metadataOf([signer]) }), http);
const many = (count: number, text: (place: number) => string) =>
  Array.from({ length: count }, (_, place) => text(place)).join('');
/** A response that was right before somebody put this into its assertion. */
const stuffed = (text: string) => signedResponse(signer).replace('</saml:Conditions>', `$&${text}`);

/** Each is no XML, either: whatever counts is found before anybody reads it. */
const unread: [string, string, string][] = [
  ['thousands of levels', many(10_000, () => '<a>'), '10000 tags'],
  ['thousands of levels with a namespace each', many(3_000, (n) => `<a xmlns:b${n}="u">`), '3000 tags'],
  ['elements that end themselves', many(301, () => '<a/>'), '602 tags'],
  ['comments', many(601, () => '<!---->'), '601 tags'],
  ['attributes', `<a ${many(1_001, (n) => ` b${n}=""`)}`, '1001 attributes'],
  ['namespaces', `<a ${many(41, (n) => ` xmlns:b${n}="u"`)}`, '41 namespaces'],
  ['a prefix for many namespaces', many(41, (n) => `<a xmlns:b="u${n}">`), '41 namespaces'],
  ['a namespace with a long name', `<a xmlns="${'u'.repeat(201)}">`, 'namespaces in an odd form'],
  ['a namespace that is written oddly', `<a xmlns:b${' '.repeat(5)}="u">`, 'namespaces in an odd form'],
  ['text', `<a>${'&amp;'.repeat(13_107)}`, '65538 characters'],
];

describe('a response that would take long to read is refused before that, for its', () => {
  test.each(unread)('%s', async (_, xml, excess) => {
    expect(await refusalOf(finish(xml))).toEqual({
      ...{ reason: 'malformed_response', message: `It has ${excess}, which is too much.` },
    });
  });
});

describe('a response that would take long to check is refused before that, for its', () => {
  const list = many(400, (n) => `p${n} `);
  const cases: [string, string, string, string][] = [
    ['levels', stuffed('<a>'.repeat(30) + '</a>'.repeat(30)), 'malformed_response', 'more than 30 levels'],
    [
      'attributes of one element',
      stuffed(`<a ${many(61, (n) => ` b${n}=""`)}/>`),
      'malformed_response',
      '61 attr',
    ],
    [
      'signature with many parts',
      signedResponse(signer).replace(/<ds:DigestMethod[^>]*>/, (it) => it.repeat(60)),
      ...(['bad_signature', 'elements'] as const),
    ],
    [
      'signature with many names',
      signedResponse(signer).replace(
        `<ds:Transform Algorithm="${C14N}"/>`,
        `<ds:Transform Algorithm="${C14N}"><c:InclusiveNamespaces xmlns:c="${C14N}" PrefixList="${list}"/></ds:Transform>`,
      ),
      ...(['bad_signature', 'characters'] as const),
    ],
  ];
  test.each(cases)('%s', async (_, xml, reason, words) => {
    expect(await refusalOf(finish(xml))).toEqual({ reason, message: expect.stringContaining(words) });
  });
});

test('somebody in very many groups signs in, however the IdP writes them down', async () => {
  const groups = many(
    250,
    (n) =>
      `<saml:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">Group number ${n}</saml:AttributeValue>`,
  );
  const moreAssertion = `<saml:AttributeStatement><saml:Attribute Name="groups">${groups}</saml:Attribute></saml:AttributeStatement>`;
  const xml = responseOf({}, sign(assertionOf({ moreAssertion }), signer, { keyInfo: true }));
  expect(xml.length).toBeGreaterThan(45_000);
  const both = sign(xml, signer, { of: 'Response', keyInfo: true });
  expect(await finish(both)).toMatchObject({ id: 'ada@example.com' });
});

test('metadata that would take long to read are refused before that', () => {
  const check = (metadata_xml: string) => () =>
    saml.checkSettings?.({ metadata_xml, metadata_url: '', max_attempts: '3' });
  expect(check(many(5_001, () => '<a>'))).toThrow('5001 tags');
  expect(check(`<a ${many(3_001, () => ' b=""')}`)).toThrow('3001 attributes');
  expect(check(`<a>${' '.repeat(262_144)}`)).toThrow('262147 characters');
});

test('metadata with as many claims as Microsoft’s are read', () => {
  const claims = many(
    150,
    (n) =>
      `<a:ClaimType Uri="urn:claim:${n}" Optional="true" xmlns:a="http://docs.oasis-open.org/wsfed/authorization/200706"><a:DisplayName>Claim</a:DisplayName><a:Description>What it is that this claim says of the person, in some more words</a:Description></a:ClaimType>`,
  );
  const metadata_xml = metadataOf([signer]).replace(
    '<IDPSSODescriptor',
    `<RoleDescriptor>${claims}</RoleDescriptor>$&`,
  );
  expect(() => saml.checkSettings?.({ metadata_xml, metadata_url: '', max_attempts: '3' })).not.toThrow();
});
