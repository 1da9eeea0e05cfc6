import { randomBytes } from 'node:crypto';
import { SAML } from '@node-saml/node-saml';
import { invalid } from '../kernel/errors.ts';
import { isWebUrl } from '../providers/call.ts';
import { SignInRefused } from './method.ts';
import type { Method } from './method.ts';
import { readAssertion, wordsOf } from './saml-assertion.ts';
import { testSamlIdp } from './saml-findings.ts';
import { readSamlIdp } from './saml-idp.ts';
import { acsUrlOf, entityIdOf } from './saml-metadata.ts';
import { openResponse } from './saml-response.ts';
import { verifiedAssertion } from './saml-signature.ts';
import { findSamlIdp } from './saml-source.ts';
import { BadXml } from './saml-xml.ts';

const MAX_ATTEMPTS = /^([1-9]|10)$/;
const REQUEST_ID_BYTES = 20;

/** SAML 2.0: an unsigned request by HTTP-Redirect, a signed assertion back by HTTP-POST. */
export const saml: Method = {
  label: 'SAML 2.0',
  fields: {
    metadata_url: {
      help: 'Address of the IdP’s metadata, which follows certificates that change; this or metadata_xml',
      fallback: '',
      called: true,
    },
    metadata_xml: { help: 'The IdP’s metadata, where it has no address', fallback: '', file: true },
    subject_attribute: {
      help: 'Attribute by which people are known besides their e-mail address, such as an employee number',
      fallback: '',
    },
    email_attribute: {
      help: 'Attribute that holds the e-mail address, if neither NameID nor one of the usual attributes does',
      fallback: '',
    },
    required_acr: {
      help: 'AuthnContextClassRef values that count, separated by spaces; asked for and checked',
      fallback: '',
    },
    max_attempts: {
      help: 'Answers that do not count before the challenge has failed, 1 to 10',
      fallback: '3',
    },
  },

  checkSettings({ metadata_xml = '', metadata_url = '', max_attempts = '' }) {
    if ((metadata_xml === '') === (metadata_url === ''))
      throw invalid('Give either metadata_url or metadata_xml', 'metadata_url');
    if (metadata_xml !== '') checkMetadata(metadata_xml);
    if (!MAX_ATTEMPTS.test(max_attempts))
      throw invalid('max_attempts must be a whole number from 1 to 10', 'max_attempts');
  },

  setUp: (publicUrl) => [
    'At the IdP, add an application for SAML 2.0 and enter this:',
    `  Entity ID (audience, also the metadata URL): ${entityIdOf(publicUrl)}`,
    `  ACS URL (reply URL, single sign-on URL, recipient, destination): ${acsUrlOf(publicUrl)}`,
    '  NameID: the e-mail address (format emailAddress)',
    '  Signature: sign the assertion, with RSA-SHA256; no encryption',
    'Requests are not signed: do not demand that. Each asks for a new sign-in (ForceAuthn), and the answer is refused without one.',
  ],

  async begin({ state, loginHint, publicUrl }, idp, http) {
    const now = new Date();
    const { signInUrl, certificates } = await findSamlIdp(idp, http, now);
    const isGood: boolean = isWebUrl(signInUrl, http.reach.http);
    if (!isGood) throw new SignInRefused('idp_unavailable', `People are not sent to ${signInUrl}`);
    const request_id = `_${randomBytes(REQUEST_ID_BYTES).toString('hex')}`;
    const wanted = wordsOf(idp.settings.required_acr);
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
    });
    // Not as the request's Subject, which Entra answers with an error; it, Okta and others look for this instead.
    const additionalParams = loginHint === null ? {} : { login_hint: loginHint };
    const url = await client.getAuthorizeUrlAsync(state, undefined, { additionalParams });
    return { url, kept: { request_id, requested_at: now.toISOString() } };
  },

  async finish(answer, idp, http) {
    const samlIdp = await findSamlIdp(idp, http, answer.now);
    const xml = openResponse(answer, samlIdp.entityId);
    const assertion = await verifiedAssertion(xml, answer, samlIdp).catch(async (error: unknown) => {
      if (!idp.settings.metadata_url) throw error;
      // The IdP may sign with a new certificate by now.
      const renewed = await findSamlIdp(idp, http, answer.now, true);
      if (renewed === samlIdp) throw error;
      return verifiedAssertion(xml, answer, renewed);
    });
    return readAssertion(assertion, answer, samlIdp.entityId, idp.settings);
  },

  test: testSamlIdp,
};

function checkMetadata(metadata: string): void {
  try {
    readSamlIdp(metadata);
  } catch (error) {
    if (!(error instanceof BadXml)) throw error;
    throw invalid(`metadata_xml cannot be used: ${error.message}`, 'metadata_xml');
  }
}
