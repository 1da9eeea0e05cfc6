import { expect, test } from '@jest/globals';
import { oidc } from '../../src/signin/oidc.ts';
import { openIdpAt, PUBLIC_URL } from '../support/oidc-method.ts';

const idpWith = (more: { [field: string]: string }) => openIdpAt('https://idp.example.com', more);
const settingsWith = (more: { [field: string]: string }) => idpWith(more).settings;

test.each([
  [{}],
  [{ issuer: 'https://idp.example.com/realms/people/' }],
  [{ subject_claim: 'https://example.com/employee_id', required_acr: 'urn:a:b  phr' }],
  [{ scopes: 'email openid', max_attempts: '10' }],
])('settings such as %j are taken', (more) => {
  expect(() => oidc.checkSettings?.(settingsWith(more))).not.toThrow();
});

test.each([
  ['issuer', 'idp.example.com', 'issuer must be a URL such as https://login.example.com'],
  ['issuer', 'ftp://idp.example.com', 'issuer must be a URL'],
  ['issuer', 'https://idp.example.com/?tenant=1', 'without ? and #'],
  ['issuer', 'https://idp.example.com/.well-known/openid-configuration', 'must end before /.well-known/'],
  ['client_id', 'two words', 'client_id must be copied from the IdP as it is, without spaces'],
  ['client_secret', 'secret\n', 'client_secret must be copied from the IdP as it is, without spaces'],
  ['scopes', 'email profile', 'scopes must contain openid'],
  ['scopes', 'openid "email"', 'scopes must be plain words'],
  ['required_acr', 'größe', 'required_acr must be plain words'],
  ['subject_claim', 'upn email', 'subject_claim must be the name of one claim'],
  ['subject_claim', 'email', 'e-mail addresses count anyway'],
  ['max_attempts', '0', 'max_attempts must be a whole number from 1 to 10'],
  ['max_attempts', '11', 'max_attempts must be a whole number from 1 to 10'],
  ['max_attempts', '2.5', 'max_attempts must be a whole number from 1 to 10'],
])('%s cannot be %j', (field, value, sentence) => {
  const check = () => oidc.checkSettings?.(settingsWith({ [field]: value }));
  expect(check).toThrow(expect.objectContaining({ code: 'invalid', field }));
  expect(check).toThrow(sentence);
});

test('the operator is told what to enter at the IdP', () => {
  const plain = oidc.setUp(PUBLIC_URL, idpWith({})).join('\n');
  expect(plain).toContain('https://verify.example.com/auth/callback/oidc');
  expect(plain).toContain('openid email profile');
  expect(plain).not.toContain('acr,');
  const more = oidc.setUp(PUBLIC_URL, idpWith({ subject_claim: 'upn', required_acr: 'mfa  phr' })).join('\n');
  expect(more).toContain('must carry upn');
  expect(more).toContain('acr, with one of: mfa phr');
  const second = oidc.setUp(PUBLIC_URL, { ...idpWith({}), callbackPath: '/auth/callback/oidc/second' });
  expect(second.join('\n')).toContain('https://verify.example.com/auth/callback/oidc/second\n');
});

test('no claim is proposed that people can change themselves at many IdPs', () => {
  expect(oidc.fields.subject_claim?.help).toContain('such as employee_id, oid or upn');
});
