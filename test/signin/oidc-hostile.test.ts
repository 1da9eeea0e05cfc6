import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import type { Reason, SignIn } from '../../src/signin/method.ts';
import { finishAt, newKeys, signToken, startHostileIdp, tokenAnswer } from '../support/oidc-hostile.ts';
import type { Claims, Header, HostileIdp } from '../support/oidc-hostile.ts';
import { CLIENT } from '../support/oidc-idp.ts';
import { reasonOf } from '../support/oidc-method.ts';
import { closeAll } from '../support/outbound.ts';

const ES256: Header = { alg: 'ES256', kid: 'one' };
const OTHER = newKeys('one');

let idp: HostileIdp;
beforeAll(async () => {
  idp = await startHostileIdp();
});
afterEach(async () => {
  idp.say({});
  await closeAll();
});
afterAll(() => idp.close());

/** The end of a sign-in with an ID token of these claims, signed as it should be unless told otherwise. */
function finishWithToken(
  change: Claims = {},
  { header = ES256, key = idp.keys.private }: Signing = {},
): Promise<SignIn> {
  const token = (nonce: string | undefined) => signToken({ ...idp.claims(nonce), ...change }, header, key);
  return finishAt(idp, (nonce) => ({ '/token': tokenAnswer(token(nonce)) }));
}
type Signing = {
  header?: Header;
  key?: Parameters<typeof signToken>[2];
};

const seconds = () => Math.floor(Date.now() / 1_000);

test('the stand-in is believed as long as it does not lie', async () => {
  expect(await finishWithToken()).toEqual({
    ...{ issuer: idp.issuer, id: '4711', email: 'ada@example.com', claim: [] },
    ...{ auth_time: expect.any(Number), acr: null, amr: [] },
  });
});

describe('an ID token is refused for its own reason', () => {
  const claims: [string, Reason, () => Claims][] = [
    ['of another sign-in', 'wrong_nonce', () => ({ nonce: 'another' })],
    ['of no sign-in', 'wrong_nonce', () => ({ nonce: undefined })],
    ['for another client', 'wrong_audience', () => ({ aud: 'another' })],
    [
      'for two clients, of which the other one asked',
      'wrong_audience',
      () => ({ aud: [CLIENT.client_id, 'b'], azp: 'b' }),
    ],
    ['for two clients without saying who asked', 'wrong_audience', () => ({ aud: [CLIENT.client_id, 'b'] })],
    ['for nobody', 'wrong_audience', () => ({ aud: undefined })],
    ['of another issuer', 'wrong_issuer', () => ({ iss: 'https://idp.example.com' })],
    ['of no issuer', 'wrong_issuer', () => ({ iss: undefined })],
    ['that is too old', 'response_expired', () => ({ exp: seconds() - 61 })],
    ['that is not good yet', 'response_expired', () => ({ nbf: seconds() + 120 })],
    ['without an end', 'malformed_response', () => ({ exp: undefined })],
    ['that names nobody', 'no_subject', () => ({ sub: undefined })],
    ['that names nobody in a text', 'no_subject', () => ({ sub: '' })],
    ['that names a number', 'no_subject', () => ({ sub: 4711 })],
    ['that names what cannot be stored', 'no_subject', () => ({ sub: 'a\u0000b' })],
    ['without the time of signing in', 'stale_authentication', () => ({ auth_time: undefined })],
    ['of a session an hour old', 'stale_authentication', () => ({ auth_time: seconds() - 3_600 })],
    ['of a sign-in 62 s before the click', 'stale_authentication', () => ({ auth_time: seconds() - 62 })],
    ['of a sign-in in the future', 'stale_authentication', () => ({ auth_time: seconds() + 120 })],
    ['with a time that is none', 'malformed_response', () => ({ auth_time: 'now' })],
    ['with an address that is not verified', 'email_not_verified', () => ({ email_verified: false })],
    [
      'with an address that is not verified in words',
      'email_not_verified',
      () => ({ email_verified: 'false' }),
    ],
    ['with an address verified by nobody', 'email_not_verified', () => ({ email_verified: null })],
  ];
  test.each(claims)('one %s: %s', async (_, reason, change) => {
    expect(await reasonOf(finishWithToken(change()))).toBe(reason);
  });

  const weak = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const signings: [string, () => Signing][] = [
    ['signed by another key under the name of ours', () => ({ key: OTHER.private })],
    [
      'signed by a key that nobody published',
      () => ({ header: { alg: 'ES256', kid: 'two' }, key: OTHER.private }),
    ],
    ['that says it needs no signature', () => ({ header: { alg: 'none' } })],
    ['signed with the client secret', () => ({ header: { alg: 'HS256' }, key: CLIENT.client_secret })],
    [
      'signed in a way the IdP does not announce',
      () => ({ header: { alg: 'RS256', kid: 'one' }, key: weak }),
    ],
    ['that brings its own key', () => ({ header: { ...ES256, jwk: OTHER.public }, key: OTHER.private })],
  ];
  test.each(signings)('one %s: bad_signature', async (_, signing) => {
    expect(await reasonOf(finishWithToken({}, signing()))).toBe('bad_signature');
  });

  test('one whose claims were changed afterwards: bad_signature', async () => {
    const forge = (nonce: string | undefined) => {
      const [header, , signature] = signToken(idp.claims(nonce), ES256, idp.keys.private).split('.');
      const forged = { ...idp.claims(nonce), email: 'eve@example.com' };
      return `${header}.${Buffer.from(JSON.stringify(forged)).toString('base64url')}.${signature}`;
    };
    const answer = finishAt(idp, (nonce) => ({ '/token': tokenAnswer(forge(nonce)) }));
    expect(await reasonOf(answer)).toBe('bad_signature');
  });

  test.each([
    ['cut off', ''],
    ['no base64', '!!!!'],
  ])('one whose signature is %s: bad_signature', async (_, signature) => {
    const cut = (nonce: string | undefined) =>
      signToken(idp.claims(nonce), ES256, idp.keys.private).replace(/[^.]+$/, signature);
    const answer = finishAt(idp, (nonce) => ({ '/token': tokenAnswer(cut(nonce)) }));
    expect(await reasonOf(answer)).toBe('bad_signature');
  });

  test.each([
    ['missing', undefined],
    ['a number', 5],
    ['one word', 'abc'],
    ['encrypted', 'a.b.c.d.e'],
    ['no JSON', 'eyJ.eyJ.eyJ'],
  ])('one that is %s: malformed_response', async (_, token) => {
    expect(await reasonOf(finishAt(idp, () => ({ '/token': tokenAnswer(token) })))).toBe(
      'malformed_response',
    );
  });
});
