import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Reason } from '../../src/signin/method.ts';
import { finishAt, newKeys, signToken, startHostileIdp, tokenAnswer } from '../support/oidc-hostile.ts';
import type { Claims, HostileIdp, Said } from '../support/oidc-hostile.ts';
import {
  developerHttp,
  openIdpAt,
  reasonOf,
  REDIRECT_URI,
  refusalFrom,
  runAt,
} from '../support/oidc-method.ts';
import { closeAll } from '../support/outbound.ts';

const METADATA = '/.well-known/openid-configuration';
const OTHER = newKeys('one');
const json = (status: number, error: string): Said => ({ status, body: { error } });

let idp: HostileIdp;
beforeAll(async () => {
  idp = await startHostileIdp();
});
afterEach(async () => {
  idp.say({});
  await closeAll();
});
afterAll(() => idp.close());

describe('an answer of the IdP is refused for its own reason', () => {
  test.each<[string, Reason, Said]>([
    ['the code is not good', 'wrong_request', json(400, 'invalid_grant')],
    ['the client is not known', 'idp_error', json(401, 'invalid_client')],
    [
      'the client is not known, with a challenge',
      'idp_error',
      { ...json(401, 'invalid_client'), headers: { 'www-authenticate': 'Basic realm="x"' } },
    ],
    ['something else is wrong', 'idp_error', json(400, 'invalid_request')],
    ['it is busy', 'idp_unavailable', { status: 429, type: 'text/plain', body: 'later' }],
    ['it is broken', 'idp_unavailable', { status: 502, type: 'text/html', body: '<html>' }],
    ['it sends us elsewhere', 'idp_error', { status: 307, body: '', headers: { location: '/other' } }],
    ['it shows a page', 'malformed_response', { type: 'text/html', body: '<html>' }],
    ['it says nothing', 'malformed_response', { body: '' }],
  ])('at the token endpoint %s: %s', async (_, reason, said) => {
    expect(await reasonOf(finishAt(idp, () => ({ '/token': said })))).toBe(reason);
    expect(idp.asked).not.toContain('POST /other');
  });

  test.each<[string, Reason, Said]>([
    ['are away', 'idp_unavailable', { status: 503, body: {} }],
    ['are none', 'malformed_response', { body: { keys: 'none' } }],
    [
      'are of no kind',
      'bad_signature',
      { body: { keys: [{ kty: 'EC', crv: 'P-256', kid: 'one', x: 'AA', y: 'AA' }] } },
    ],
    ['are for encryption', 'bad_signature', { body: { keys: [{ ...OTHER.public, use: 'enc' }] } }],
  ])('its keys %s: %s', async (_, reason, said) => {
    const token = (nonce: string | undefined) =>
      signToken(idp.claims(nonce), { alg: 'ES256', kid: 'one' }, idp.keys.private);
    const answer = finishAt(idp, (nonce) => ({ '/token': tokenAnswer(token(nonce)), '/keys': said }));
    expect(await reasonOf(answer)).toBe(reason);
  });

  test.each<[string, Reason, Said]>([
    ['speaks of somebody else', 'malformed_response', { body: { sub: '4712', email: 'eve@example.com' } }],
    ['speaks of nobody', 'malformed_response', { body: { email: 'eve@example.com' } }],
    [
      'does not know the token',
      'idp_error',
      { status: 401, body: {}, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } },
    ],
    ['is away', 'idp_unavailable', { status: 500, body: {} }],
    [
      'says the address is not verified',
      'email_not_verified',
      { body: { sub: '4711', email: 'ada@example.com', email_verified: false } },
    ],
  ])('the userinfo endpoint %s: %s', async (_, reason, said) => {
    const bare = (nonce: string | undefined) =>
      signToken({ ...idp.claims(nonce), email: undefined }, { alg: 'ES256', kid: 'one' }, idp.keys.private);
    const answer = finishAt(idp, (nonce) => ({ '/token': tokenAnswer(bare(nonce)), '/userinfo': said }));
    expect(await reasonOf(answer)).toBe(reason);
  });

  const unmarked = (more: Claims) => (nonce: string | undefined) => {
    const claims = { ...idp.claims(nonce), email_verified: undefined, ...more };
    return signToken(claims, { alg: 'ES256', kid: 'one' }, idp.keys.private);
  };
  const finishUnmarked = (info: Claims, more: Claims = {}) =>
    finishAt(idp, (nonce) => ({
      '/token': tokenAnswer(unmarked(more)(nonce)),
      '/userinfo': { body: { sub: '4711', ...info } },
    }));

  test.each<[string, Claims]>([
    ['of the same address', { email: 'ada@example.com', email_verified: false }],
    ['without naming it', { email_verified: 'false' }],
    ['in Entra ID’s words', { email: 'ada@example.com', xms_edov: '0' }],
  ])('an address that the ID token does not mark, but the userinfo endpoint does, %s', async (_, info) => {
    expect(await reasonOf(finishUnmarked(info))).toBe('email_not_verified');
  });

  test('an address that the ID token marks in Entra ID’s words: email_not_verified', async () => {
    expect(await reasonOf(finishUnmarked({}, { xms_edov: false }))).toBe('email_not_verified');
  });

  test.each<[string, Claims, Claims]>([
    ['nobody marks', {}, {}],
    ['the userinfo endpoint marks as verified', { email: 'ada@example.com', email_verified: true }, {}],
    ['the ID token marks in Entra ID’s words', { email_verified: false }, { xms_edov: '1' }],
  ])('but not an address that %s', async (_, info, more) => {
    expect(await finishUnmarked(info, more)).toMatchObject({ email: 'ada@example.com' });
  });

  test.each<[string, Reason, { [name: string]: string }]>([
    ['says that the person refused', 'access_denied', { error: 'access_denied' }],
    ['wants a session', 'idp_error', { error: 'login_required' }],
    ['is overloaded', 'idp_error', { error: 'temporarily_unavailable' }],
    ['has neither code nor error', 'malformed_response', {}],
    ['names another IdP', 'wrong_issuer', { code: 'a-code', iss: 'https://idp.example.com' }],
    [
      'names another IdP with an error',
      'wrong_issuer',
      { error: 'access_denied', iss: 'https://idp.example.com' },
    ],
    ['is of another flow', 'malformed_response', { code: 'a-code', id_token: 'a.b.c' }],
    ['is a signed one', 'malformed_response', { response: 'a.b.c' }],
  ])('a callback that %s: %s', async (_, reason, parameters) => {
    const count = idp.asked.filter((one) => one === 'POST /token').length;
    const answer = finishAt(idp, () => ({}), { state: 'the-state', ...parameters });
    expect(await reasonOf(answer)).toBe(reason);
    expect(idp.asked.filter((one) => one === 'POST /token')).toHaveLength(count);
  });

  test('a callback without iss, from an IdP that announces one: wrong_issuer', async () => {
    idp.say({
      [METADATA]: { body: { ...idp.metadata, authorization_response_iss_parameter_supported: true } },
    });
    const run = await runAt(
      openIdpAt(idp.issuer),
      developerHttp(),
      async () => `${REDIRECT_URI}?code=a&state=the-state`,
    );
    expect(await reasonOf(run.finish())).toBe('wrong_issuer');
  });

  const said = async (answer: Promise<unknown>) => (await refusalFrom(answer)).message;

  test('of what a browser brings the log gets the code alone, without characters that move a cursor', async () => {
    const error_description = 'words of whoever made the address';
    const short = await said(finishAt(idp, () => ({}), { error: 'x\u001b[2Jy', error_description }));
    expect(short).toBe('The answer of the IdP does not count: "x\\u001b[2Jy"');
    const long = await said(finishAt(idp, () => ({}), { error: 'é'.repeat(500), error_description }));
    expect(long).toMatch(/: "\?{99}\.\.\.$/);
  });

  test('of what the IdP says the log gets a hundred characters, which is no whole token', async () => {
    const token = unmarked({})('the-nonce');
    const error = { error: 'server_error', error_description: `\u001b[2Jtoken was ${token}` };
    const message = await said(finishAt(idp, () => ({ '/token': { status: 400, body: error } })));
    expect(message).toMatch(/: "server_error" "\\u001b\[2Jtoken was eyJ[\x20-\x7e]{1,100}\.\.\.$/);
    expect(message.length).toBeLessThan(200);
  });
});
