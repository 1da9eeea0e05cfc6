import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { AppError } from '../../src/kernel/errors.ts';
import type { Http } from '../../src/providers/provider.ts';
import { serviceMetadata } from '../../src/signin/saml-metadata.ts';
import { attributeOf, childNamed, parseXml, textOf } from '../../src/signin/saml-xml.ts';
import { saml } from '../../src/signin/saml.ts';
import { closeAll } from '../support/outbound.ts';
import { IDP, metadataOf, PUBLIC_URL } from '../support/saml-answer.ts';
import { createSigner } from '../support/saml-keys.ts';
import { createHttp, idpWith } from '../support/saml.ts';

const signer = createSigner();
let http: Http;
beforeAll(() => {
  http = createHttp();
});
afterAll(closeAll);

describe('settings', () => {
  const settings = { metadata_xml: metadataOf([signer]), metadata_url: '', max_attempts: '3' };
  const check = (more: { [field: string]: string }) => () => saml.checkSettings?.({ ...settings, ...more });

  test('hold the metadata or its address', () => {
    expect(check({})).not.toThrow();
    expect(check({ metadata_xml: '', metadata_url: 'https://idp.example.com/metadata' })).not.toThrow();
    expect(check({ metadata_xml: '' })).toThrow(AppError);
    expect(check({ metadata_url: 'https://idp.example.com/metadata' })).toThrow('either');
  });

  test.each(['0', '11', '1.5', '', 'three', '-1'])(
    'do not hold %j as a number of attempts',
    (max_attempts) => {
      expect(check({ max_attempts })).toThrow('max_attempts must be a whole number from 1 to 10');
    },
  );

  const metadata = settings.metadata_xml;
  test.each([
    ['<html>', 'not well-formed'],
    [metadata.replace('<EntityDescriptor', '<!DOCTYPE x []><EntityDescriptor'), 'document type'],
    [serviceMetadata(PUBLIC_URL), 'no SAML 2.0 IdP'],
    [metadata.replace('SAML:2.0:protocol', 'SAML:1.1:protocol'), 'no SAML 2.0 IdP'],
    [metadata.replace(`entityID="${IDP}"`, ''), 'no entityID'],
    [metadataOf([signer], { binding: 'HTTP-POST' }), 'HTTP-Redirect'],
    [metadata.replace(/<SingleSignOnService.*>/, ''), 'no SingleSignOnService'],
    [metadataOf([]), 'no certificate'],
    [metadataOf([signer], { use: 'encryption' }), 'no certificate'],
    [metadataOf([createSigner('ec', { key: 'ec' })]), 'RSA'],
    [metadata.replace(/<ds:X509Certificate>/, '<ds:X509Certificate>AA'), 'no certificate'],
    [metadata.replace(/<IDPSSODescriptor[^]*<\/IDPSSODescriptor>/, '$&$&'), '2 IdPs'],
  ])('do not hold metadata that nobody could sign in with (%#)', (metadata_xml, message) => {
    expect(check({ metadata_xml })).toThrow(message);
    // One sentence, without what a parser says to programmers.
    expect(check({ metadata_xml })).toThrow(
      /^metadata_xml is not the metadata of a SAML IdP: (it|the IdP) [^[\]\n]*[^.]$/,
    );
  });

  test('hold the metadata of one IdP in a collection, with what editors put before it', () => {
    const one = metadata.replace('<?xml version="1.0"?>', '');
    const entities = `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">${one}</EntitiesDescriptor>`;
    expect(check({ metadata_xml: entities })).not.toThrow();
    expect(check({ metadata_xml: `\uFEFF${metadata}` })).not.toThrow();
  });
});

test('this server describes itself as a service provider', () => {
  const root = parseXml(serviceMetadata(PUBLIC_URL));
  expect(attributeOf(root, 'entityID')).toBe(`${PUBLIC_URL}/saml/metadata`);
  const role = childNamed(root, 'metadata', 'SPSSODescriptor') as Element;
  expect(attributeOf(role, 'AuthnRequestsSigned')).toBe('false');
  expect(attributeOf(role, 'WantAssertionsSigned')).toBe('true');
  expect(textOf(childNamed(role, 'metadata', 'NameIDFormat') as Element)).toMatch(/:emailAddress$/);
  const acs = childNamed(role, 'metadata', 'AssertionConsumerService') as Element;
  expect(attributeOf(acs, 'Binding')).toMatch(/:HTTP-POST$/);
  expect(attributeOf(acs, 'Location')).toBe(`${PUBLIC_URL}/saml/acs`);
  expect(serviceMetadata(PUBLIC_URL)).toBe(serviceMetadata(PUBLIC_URL));
});

test('the operator is told what to enter at the IdP', () => {
  const lines = saml.setUp(PUBLIC_URL, idpWith({})).join('\n');
  for (const text of ['/saml/metadata', '/saml/acs', 'e-mail', 'sign the assertion', 'RSA-SHA256'])
    expect(lines).toContain(text);
});

describe('a test of the configuration', () => {
  const findingsOf = async (metadata_xml: string, reach = http.reach, more = {}) => {
    const findings = await saml.test(PUBLIC_URL, idpWith({ metadata_xml, ...more }), { ...http, reach });
    return findings.map(({ state, name, detail }) => `${state} ${name}: ${detail}`);
  };

  test('finds nothing wrong with what is right, and says what to enter', async () => {
    const findings = await findingsOf(metadataOf([signer]));
    const until = new Date(new X509Certificate(signer.cert).validTo).toISOString().slice(0, 10);
    expect(findings).toEqual([
      'ok Metadata: They were read from what was entered.',
      `ok Entity ID: The IdP names itself ${IDP}.`,
      `ok Sign-in address: People are sent to ${IDP}/sso.`,
      `ok Certificate: CN=idp.example.com is good until ${until}.`,
      'ok Requests: They are not signed, and need not be.',
      expect.stringContaining(`Entity ID ${PUBLIC_URL}/saml/metadata and ACS URL ${PUBLIC_URL}/saml/acs`),
    ]);
  });

  test('tells of certificates that end', async () => {
    const soon = createSigner('soon', { days: 10 });
    const over = createSigner('over', { days: -10 });
    expect((await findingsOf(metadataOf([soon]))).join('\n')).toMatch(
      /warn Certificate: CN=soon is good until .*, 9 days: replace/,
    );
    expect((await findingsOf(metadataOf([over]))).join('\n')).toMatch(
      /fail Certificate: CN=over expired on /,
    );
    expect((await findingsOf(metadataOf([over, signer]))).join('\n')).toMatch(
      /warn Certificate: CN=over.*\nok Cert/,
    );
  });

  test('tells of what would keep everybody out', async () => {
    const demanding = metadataOf([signer], { more: 'WantAuthnRequestsSigned="true"' });
    expect((await findingsOf(demanding)).join('\n')).toMatch(
      /fail Requests: .*demands signed requests.*--signing-secret.*turn that off/,
    );
    const signing_secret = signer.key;
    expect((await findingsOf(demanding, http.reach, { signing_secret })).join('\n')).toMatch(
      /ok Requests: They are signed/,
    );
    const clear = metadataOf([signer], { signInUrl: 'http://idp.example.com/sso' });
    expect((await findingsOf(clear, { http: false, loopback: false })).join('\n')).toMatch(
      /fail Sign-in address: .*http:.* not an https address/,
    );
    expect((await findingsOf('<x/>')).join('\n')).toMatch(/^fail Metadata: .*no SAML 2.0 IdP/);
  });

  test('shows what somebody else wrote on one line, without what a terminal would take for commands', async () => {
    const evil = `\u009B31m\u202E&#10;ok nothing: is wrong&#27;[2K${'x'.repeat(5_000)}`;
    const one = metadataOf([createSigner('\u202Eevil')], { entityId: evil, signInUrl: evil });
    for (const findings of [
      await findingsOf(one),
      await findingsOf(`<${evil}`),
      await findingsOf(`${one}<${evil}`),
    ])
      for (const finding of findings) {
        expect(finding).toMatch(/^[^\p{C}\p{Zl}\p{Zp}]+$/u);
        expect(finding.length).toBeLessThan(500);
      }
  });
});
