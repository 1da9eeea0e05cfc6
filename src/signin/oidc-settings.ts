import { parseUrl } from '../kernel/address.ts';
import { invalid } from '../kernel/errors.ts';
import { isToken } from '../providers/json.ts';
import type { Settings } from '../providers/provider.ts';
import type { Method, OpenIdp } from './method.ts';
import { checkMaxAttempts, MAX_ATTEMPTS } from './tries.ts';

/** What an operator enters for an OpenID Connect IdP. */
export const fields: Method['fields'] = {
  issuer: {
    help: 'Issuer of the IdP exactly as it names itself, such as https://login.example.com',
    called: true,
  },
  client_id: { help: 'Client ID of the application that stands for this server at the IdP' },
  client_secret: { help: 'Client secret of the same application' },
  scopes: { help: 'Scopes to ask for, with openid among them', fallback: 'openid email profile' },
  subject_claim: {
    help: 'Claim by which people are known besides their e-mail address, such as employee_id, oid or upn; one they cannot change themselves',
    fallback: '',
  },
  required_acr: {
    help: 'Ways of signing in that are good enough (acr values with spaces between them); any if empty',
    fallback: '',
  },
  max_attempts: MAX_ATTEMPTS,
};

/** The address the IdP sends people back to, which no other IdP of this server has: an answer is taken for its own alone. */
export function redirectUri(publicUrl: string, { callbackPath }: Pick<OpenIdp, 'callbackPath'>): string {
  return publicUrl + callbackPath;
}

/** The parts of a list in a setting. */
export function wordsOf(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

/** Throws a 400 for settings that cannot be right. */
export function checkSettings(settings: Settings): void {
  checkIssuer(settings.issuer ?? '');
  const { client_id, client_secret, subject_claim = '' } = settings;
  for (const [field, value] of Object.entries({ client_id, client_secret })) {
    if (!isToken(value))
      throw invalid(`${field} must be copied from the IdP as it is, without spaces`, field);
  }
  if (!wordsOf(settings.scopes).includes('openid'))
    throw invalid('scopes must contain openid, such as "openid email profile"', 'scopes');
  checkWords(settings, 'scopes');
  checkWords(settings, 'required_acr');
  if (subject_claim !== '' && !/^[\x21-\x7e]{1,255}$/.test(subject_claim))
    throw invalid('subject_claim must be the name of one claim', 'subject_claim');
  if (subject_claim === 'email')
    throw invalid(
      'subject_claim is meant for another claim: e-mail addresses count anyway, once they are verified',
      'subject_claim',
    );
  checkMaxAttempts(settings);
}

/** What the operator is to enter at the IdP, a line each. */
export function setUp(publicUrl: string, idp: Pick<OpenIdp, 'settings' | 'callbackPath'>): string[] {
  const { scopes, subject_claim = '', required_acr = '' } = idp.settings;
  return [
    'At the IdP, register a web application (confidential client) with:',
    `  Redirect URI:        ${redirectUri(publicUrl, idp)}`,
    '  Grant type:          authorization code, with PKCE (S256)',
    '  Client secret:       sent to the token endpoint, as Basic or in the form',
    `  Scopes:              ${wordsOf(scopes).join(' ')}`,
    '  Sign-out addresses:  none, leave them empty',
    'Each sign-in is asked for with prompt=login and max_age=0: people must sign in anew, and a session that is already',
    'there does not count. No policy at the IdP may skip that, and the ID token must carry auth_time.',
    'Where e-mail addresses are marked at all, they must be marked as verified (email_verified).',
    ...(subject_claim === ''
      ? []
      : [
          `The ID token or the user info must carry ${subject_claim}, which people must not be able to change.`,
        ]),
    ...(required_acr === ''
      ? []
      : [`The ID token must carry acr, with one of: ${wordsOf(required_acr).join(' ')}`]),
  ];
}

function checkIssuer(issuer: string): void {
  const url = parseUrl(issuer);
  if (!url || !['https:', 'http:'].includes(url.protocol) || url.search || url.hash)
    throw invalid('issuer must be a URL such as https://login.example.com, without ? and #', 'issuer');
  if (url.pathname.includes('/.well-known/'))
    throw invalid('issuer must end before /.well-known/, where the metadata is looked for anyway', 'issuer');
}

// RFC 6749 §3.3 for scopes; what stands in a list of acr values has no spaces either.
function checkWords(settings: Settings, field: 'scopes' | 'required_acr'): void {
  if (!wordsOf(settings[field]).every((word) => /^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/.test(word)))
    throw invalid(`${field} must be plain words with spaces between them`, field);
}
