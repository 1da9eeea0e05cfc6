import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startOidcIdp } from '../support/oidc-idp.ts';
import type { Lies, OidcIdp } from '../support/oidc-idp.ts';
import {
  developerHttp,
  openIdpAt,
  PUBLIC_URL,
  reasonOf,
  REDIRECT_URI,
  runAt,
} from '../support/oidc-method.ts';
import { createVisitor } from '../support/oidc-visitor.ts';
import { closeAll } from '../support/outbound.ts';

const ADA = 'ada@example.com';
const FURTHER_PATH = '/auth/callback/oidc/further';
const seconds = () => Math.floor(Date.now() / 1_000);
const asAda = (url: string) => createVisitor().signIn(url, ADA);

let idp: OidcIdp;
let bare: OidcIdp;
let further: OidcIdp;
beforeAll(async () => {
  idp = await startOidcIdp({ redirectUri: REDIRECT_URI });
  bare = await startOidcIdp({ redirectUri: REDIRECT_URI, inIdToken: false });
  further = await startOidcIdp({ redirectUri: PUBLIC_URL + FURTHER_PATH });
});
afterEach(async () => {
  idp.lie({});
  bare.lie({});
  await closeAll();
});
afterAll(async () => {
  await idp.close();
  await bare.close();
  await further.close();
});

/** Signs in as Ada where the IdP says this of it. */
async function signIn(lies: Lies, settings: { [field: string]: string } = {}, at = idp) {
  at.lie(lies);
  const run = await runAt(openIdpAt(at.issuer, settings), developerHttp(), asAda);
  return run.finish();
}

test('the IdP is asked to let this person sign in anew, with PKCE and a nonce', async () => {
  const settings = { scopes: 'openid  email', required_acr: 'mfa  password' };
  const asked: URL[] = [];
  const look = async (url: string) => {
    asked.push(new URL(url));
    return url;
  };
  await runAt(openIdpAt(idp.issuer, settings), developerHttp(), look, { loginHint: ADA });
  await runAt(openIdpAt(idp.issuer), developerHttp(), look);
  const [first, second] = asked.map((url) => Object.fromEntries(url.searchParams));
  expect(first).toEqual({
    ...{ client_id: 'countersign', response_type: 'code', redirect_uri: REDIRECT_URI, state: 'the-state' },
    ...{ scope: 'openid email', prompt: 'login', max_age: '0', login_hint: ADA, acr_values: 'mfa password' },
    nonce: expect.stringMatching(/^[\w-]{43}$/),
    ...{ code_challenge: expect.stringMatching(/^[\w-]{43}$/), code_challenge_method: 'S256' },
  });
  expect(Object.keys(second ?? {})).not.toEqual(expect.arrayContaining(['login_hint']));
  expect(second?.acr_values).toBeUndefined();
  expect(second?.nonce).not.toBe(first?.nonce);
  expect(second?.code_challenge).not.toBe(first?.code_challenge);
});

test('an IdP with a path of its own is asked to send people there, and gets the same with the code', async () => {
  const run = await runAt(
    { ...openIdpAt(further.issuer), callbackPath: FURTHER_PATH },
    developerHttp(),
    asAda,
  );
  expect(run.back.pathname).toBe(FURTHER_PATH);
  expect(await run.finish()).toMatchObject({ email: ADA });
});

describe('whoever signs in is told', () => {
  test('with address, time and way of signing in', async () => {
    const told = await signIn({ acr: 'mfa', amr: ['pwd', 'hwk'] });
    expect(told).toEqual({
      ...{ issuer: idp.issuer, id: ADA, email: ADA, claim: [] },
      ...{ auth_time: expect.any(Number), acr: 'mfa', amr: ['pwd', 'hwk'] },
    });
    expect(Math.abs(told.auth_time - seconds())).toBeLessThan(10);
  });

  test('with what only the userinfo endpoint says', async () => {
    const claims = { preferred_username: 'ada', email_verified: 'true' };
    expect(await signIn({ claims }, { subject_claim: 'preferred_username' }, bare)).toMatchObject({
      ...{ id: ADA, email: ADA, claim: ['ada'] },
    });
  });

  test.each<[string, unknown, string[]]>([
    ['text', 'ada', ['ada']],
    ['a number', 4711, ['4711']],
    ['a list', ['ada', 4711, null, {}, '', 'a\u0000b'], ['ada', '4711']],
    ['something else', { of: 'ada' }, []],
    ['missing', undefined, []],
  ])('by the chosen claim, when that is %s', async (_, value, claim) => {
    const claims = { preferred_username: value };
    const told = await signIn({ claims }, { subject_claim: 'preferred_username' });
    expect(told).toMatchObject({ email: ADA, claim });
  });

  test.each([
    ['two', 'ada@example.com,eve@example.com'],
    ['one with a name', 'Ada <ada@example.com>'],
    ['two with a space', 'ada@example.com eve@example.com'],
    ['one with two @', 'ada@example.com@example.org'],
    ['one with a line break', 'ada@example.com\n'],
    ['a list', ['ada@example.com']],
    ['too long', `${'a'.repeat(251)}@b.c`],
  ])('without an address, when that is %s', async (_, email) => {
    expect(await signIn({ claims: { email } })).toMatchObject({ id: ADA, email: null });
  });

  test('by an address of which nothing says whether it is verified', async () => {
    expect(await signIn({ claims: { email_verified: undefined } })).toMatchObject({ email: ADA });
  });
});

describe('a sign-in does not count', () => {
  test('when the address is not verified', async () => {
    expect(await reasonOf(signIn({ claims: { email_verified: false } }))).toBe('email_not_verified');
  });

  test('when it is older than the click, whatever the IdP was asked for', async () => {
    expect(await reasonOf(signIn({ ts: seconds() - 3_600 }))).toBe('stale_authentication');
  });

  test('when it was done in a way that is not good enough', async () => {
    const required_acr = 'mfa hardware';
    expect(await reasonOf(signIn({ acr: 'password' }, { required_acr }))).toBe('insufficient_acr');
    expect(await reasonOf(signIn({}, { required_acr }))).toBe('insufficient_acr');
    expect(await signIn({ acr: 'mfa' }, { required_acr })).toMatchObject({ acr: 'mfa' });
  });

  test('when the person cancels', async () => {
    const run = await runAt(openIdpAt(idp.issuer), developerHttp(), (url) => createVisitor().cancel(url));
    expect(await reasonOf(run.finish())).toBe('access_denied');
  });

  test('when its code comes a second time', async () => {
    const run = await runAt(openIdpAt(idp.issuer), developerHttp(), asAda);
    await run.finish();
    expect(await reasonOf(run.finish())).toBe('wrong_request');
  });

  test('when its code was given to another browser', async () => {
    const at = openIdpAt(idp.issuer);
    const mine = await runAt(at, developerHttp(), asAda);
    const theirs = await runAt(at, developerHttp(), asAda);
    expect(await reasonOf(mine.finish({ kept: theirs.kept }))).toBe('wrong_request');
  });

  test('when the client secret is wrong', async () => {
    const at = openIdpAt(idp.issuer, { client_secret: 'another' });
    const run = await runAt(at, developerHttp(), asAda);
    expect(await reasonOf(run.finish())).toBe('idp_error');
  });
});

test('keys that the IdP changes within a minute are found, again and again', async () => {
  const at = openIdpAt(idp.issuer);
  for (let change = 0; change < 3; change += 1) {
    expect(await (await runAt(at, developerHttp(), asAda)).finish()).toMatchObject({ email: ADA });
    await idp.rotateKeys();
  }
});
