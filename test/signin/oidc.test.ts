import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { developerHttp, openIdpAt, REDIRECT_URI, runAt } from '../support/oidc-method.ts';
import { startOidcIdp } from '../support/oidc-idp.ts';
import type { OidcIdp } from '../support/oidc-idp.ts';
import { createVisitor } from '../support/oidc-visitor.ts';
import { closeAll } from '../support/outbound.ts';

const ADA = 'ada@example.com';
const seconds = () => Math.floor(Date.now() / 1_000);
const asAda = (url: string) => createVisitor().signIn(url, ADA);

afterEach(closeAll);

describe('at a real IdP', () => {
  let idp: OidcIdp;
  beforeAll(async () => {
    idp = await startOidcIdp({ redirectUri: REDIRECT_URI });
  });
  afterEach(() => idp.lie({}));
  afterAll(() => idp.close());

  test('whoever signs in is told with address, time and way of signing in', async () => {
    idp.lie({ acr: 'mfa', amr: ['pwd', 'hwk'] });
    const run = await runAt(openIdpAt(idp.issuer), developerHttp(), asAda);
    const signIn = await run.finish();
    expect(signIn).toEqual({
      ...{ issuer: idp.issuer, id: ADA, email: ADA, claim: [] },
      ...{ auth_time: expect.any(Number), acr: 'mfa', amr: ['pwd', 'hwk'] },
    });
    expect(Math.abs(signIn.auth_time - seconds())).toBeLessThan(5);
  });

  test('the IdP is asked to let this person sign in anew, with PKCE and a nonce', async () => {
    const settings = { scopes: 'openid  email', required_acr: 'mfa  password' };
    let asked = new URL('http://nowhere');
    await runAt(
      openIdpAt(idp.issuer, settings),
      developerHttp(),
      async (url) => {
        asked = new URL(url);
        return url;
      },
      { loginHint: ADA },
    );
    expect(Object.fromEntries(asked.searchParams)).toEqual({
      ...{ client_id: 'countersign', response_type: 'code', redirect_uri: REDIRECT_URI, state: 'the-state' },
      ...{
        scope: 'openid email',
        prompt: 'login',
        max_age: '0',
        login_hint: ADA,
        acr_values: 'mfa password',
      },
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      ...{ code_challenge: expect.stringMatching(/^[\w-]{43}$/), code_challenge_method: 'S256' },
    });
  });
});
