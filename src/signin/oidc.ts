import { buildAuthorizationUrl } from 'openid-client';
import type { Method } from './method.ts';
import { readSignIn } from './oidc-claims.ts';
import { refusalOf } from './oidc-errors.ts';
import { tryOut } from './oidc-findings.ts';
import { configurationOf, metadataOf } from './oidc-metadata.ts';
import { newProof, redeem, requestOf } from './oidc-run.ts';
import { checkSettings, fields, setUp } from './oidc-settings.ts';

/** Signing in by OpenID Connect: authorization code, PKCE, and an ID token that is checked in full. */
export const oidc: Method = {
  label: 'OpenID Connect',
  fields,
  checkSettings,
  setUp,

  async begin(run, idp, http) {
    const config = configurationOf(await metadataOf(idp, http), idp.settings, http);
    const { kept, told } = await newProof();
    const url = buildAuthorizationUrl(config, { ...requestOf(run, idp), ...told });
    return { url: url.href, kept };
  },

  async finish(answer, idp, http) {
    try {
      const found = await metadataOf(idp, http);
      const redeemed = await redeem(answer, found, idp, http);
      return await readSignIn(redeemed, answer, idp.settings);
    } catch (error) {
      throw refusalOf(error);
    }
  },

  test: tryOut,
};
