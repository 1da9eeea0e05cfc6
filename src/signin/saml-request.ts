import { createPrivateKey, randomBytes } from 'node:crypto';
import { SAML } from '@node-saml/node-saml';
import { invalid } from '../kernel/errors.ts';
import type { Settings } from '../providers/provider.ts';
import type { Begun, Run } from './method.ts';
import { wordsOf } from './saml-assertion.ts';
import type { SamlIdp } from './saml-idp.ts';
import { acsUrlOf, entityIdOf } from './saml-metadata.ts';

const REQUEST_ID_BYTES = 20;
const MIN_KEY_BITS = 2_048;

/** Asks the IdP, by HTTP-Redirect, to let the person sign in anew; signed if there is a key for that. */
export async function newRequest(
  { state, loginHint, publicUrl }: Run,
  { signInUrl, certificates }: SamlIdp,
  { required_acr, signing_secret = '' }: Settings,
): Promise<Begun> {
  const request_id = `_${randomBytes(REQUEST_ID_BYTES).toString('hex')}`;
  const wanted = wordsOf(required_acr);
  const client = new SAML({
    issuer: entityIdOf(publicUrl),
    callbackUrl: acsUrlOf(publicUrl),
    entryPoint: signInUrl,
    idpCert: certificates.map(String),
    generateUniqueId: () => request_id,
    forceAuthn: true,
    identifierFormat: null,
    disableRequestedAuthnContext: wanted.length === 0,
    authnContext: wanted,
    ...(signing_secret && { privateKey: readKey(signing_secret), signatureAlgorithm: 'sha256' as const }),
  });
  // Not as the request's Subject, which Entra answers with an error; it, Okta and others look for this instead.
  const additionalParams = loginHint === null ? {} : { login_hint: loginHint };
  const url = await client.getAuthorizeUrlAsync(state, undefined, { additionalParams });
  return { url, kept: { request_id, requested_at: new Date().toISOString() } };
}

/** Throws a 400 for what cannot sign requests, if it is anything. */
export function checkSigningSecret({ signing_secret = '' }: Settings): void {
  if (signing_secret === '') return;
  try {
    readKey(signing_secret);
  } catch {
    throw invalid(
      `signing_secret must be an RSA private key of ${MIN_KEY_BITS} bits or more, in PEM, without a passphrase`,
      'signing_secret',
    );
  }
}

/** The key in the one form that the library takes, whatever form it has. */
function readKey(pem: string): string {
  const key = createPrivateKey(pem);
  const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== 'rsa' || modulusLength < MIN_KEY_BITS) throw new Error('not such a key');
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}
