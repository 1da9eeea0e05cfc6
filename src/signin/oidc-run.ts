import {
  authorizationCodeGrant,
  calculatePKCECodeChallenge,
  randomNonce,
  randomPKCECodeVerifier,
  skipStateCheck,
} from 'openid-client';
import type { Http } from '../providers/provider.ts';
import { SignInRefused } from './method.ts';
import type { Begun, IdpAnswer, OpenIdp, Run } from './method.ts';
import type { Redeemed } from './oidc-claims.ts';
import { configurationOf, withSecret } from './oidc-metadata.ts';
import type { Found } from './oidc-metadata.ts';
import { redirectUri, wordsOf } from './oidc-settings.ts';

/** What the answer will be checked against, and what the IdP is told of it. */
export async function newProof(): Promise<{ kept: Begun['kept']; told: { [name: string]: string } }> {
  const [nonce, code_verifier] = [randomNonce(), randomPKCECodeVerifier()];
  const code_challenge = await calculatePKCECodeChallenge(code_verifier);
  return { kept: { nonce, code_verifier }, told: { nonce, code_challenge, code_challenge_method: 'S256' } };
}

/** What is asked of the IdP: that this person signs in anew, in one of the ways that are good enough. */
export function requestOf(
  { state, loginHint, publicUrl }: Run,
  idp: Pick<OpenIdp, 'settings' | 'callbackPath'>,
): { [name: string]: string } {
  const { scopes, required_acr } = idp.settings;
  const acr_values = wordsOf(required_acr).join(' ');
  return {
    ...{ redirect_uri: redirectUri(publicUrl, idp), scope: wordsOf(scopes).join(' '), state },
    ...{ prompt: 'login', max_age: '0' },
    ...(loginHint === null ? {} : { login_hint: loginHint }),
    ...(acr_values === '' ? {} : { acr_values }),
  };
}

/** Exchanges the code; what is left to check of the ID token is who it names, and when and how they signed in. */
export function redeem(
  { parameters, kept, publicUrl }: Pick<IdpAnswer, 'parameters' | 'kept' | 'publicUrl'>,
  found: Found,
  idp: Pick<OpenIdp, 'settings' | 'callbackPath'>,
  http: Http,
): Promise<Redeemed> {
  const url = new URL(`${redirectUri(publicUrl, idp)}?${new URLSearchParams(parameters).toString()}`);
  return withSecret(found, async (way) => {
    const config = configurationOf(found, idp.settings, http, way);
    const tokens = await authorizationCodeGrant(config, url, {
      expectedNonce: kept.nonce ?? '',
      pkceCodeVerifier: kept.code_verifier ?? '',
      // The attempt was found by it.
      expectedState: skipStateCheck,
    });
    const claims = tokens.claims();
    if (!claims) throw new SignInRefused('malformed_response', 'There is no ID token');
    return { config, claims, accessToken: tokens.access_token };
  });
}
