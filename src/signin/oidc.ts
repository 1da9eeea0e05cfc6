import { invalid } from '../kernel/errors.ts';
import type { Method } from './method.ts';

const MAX_ATTEMPTS = 10;

/** Signing in by OpenID Connect: authorization code, PKCE, and an ID token that is checked in full. */
export const oidc: Method = {
  label: 'OpenID Connect',
  fields: {
    issuer: {
      help: 'Issuer of the IdP, exactly as it names itself, such as https://login.example.com; its metadata is below it',
      called: true,
    },
    client_id: { help: 'Client ID of the application that stands for this server at the IdP' },
    client_secret: { help: 'Client secret of the same application' },
    scopes: { help: 'Scopes to ask for, with openid among them', fallback: 'openid email profile' },
    subject_claim: {
      help: 'Claim by which people are known besides their e-mail address, such as preferred_username, upn or employee_id',
      fallback: '',
    },
    required_acr: {
      help: 'Ways of signing in that are good enough (acr values, separated by spaces); any if empty',
      fallback: '',
    },
    max_attempts: {
      help: `How many sign-ins may go wrong before the challenge has failed, 1 to ${MAX_ATTEMPTS}`,
      fallback: '3',
    },
  },

  checkSettings({ scopes = '', max_attempts = '' }) {
    if (!scopes.split(/\s+/).includes('openid')) {
      throw invalid('scopes must contain openid, such as openid email profile', 'scopes');
    }
    if (!/^\d{1,2}$/.test(max_attempts) || +max_attempts < 1 || +max_attempts > MAX_ATTEMPTS) {
      throw invalid(`max_attempts must be a whole number from 1 to ${MAX_ATTEMPTS}`, 'max_attempts');
    }
  },

  setUp: (publicUrl) => [`Redirect URI: ${publicUrl}/auth/callback/oidc`],

  begin() {
    throw new Error('not yet');
  },

  finish() {
    throw new Error('not yet');
  },

  test() {
    throw new Error('not yet');
  },
};
