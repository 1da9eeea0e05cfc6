import { invalid } from '../kernel/errors.ts';
import { isWebUrl } from '../providers/call.ts';
import { SignInRefused } from './method.ts';
import type { Method } from './method.ts';
import { quoted } from './plain.ts';
import { readAssertion } from './saml-assertion.ts';
import { testSamlIdp } from './saml-findings.ts';
import { readSamlIdp } from './saml-idp.ts';
import { acsUrlOf, entityIdOf } from './saml-metadata.ts';
import { checkSigningSecret, newRequest } from './saml-request.ts';
import { openResponse } from './saml-response.ts';
import { verifiedAssertion } from './saml-signature.ts';
import { findSamlIdp } from './saml-source.ts';
import { BadXml } from './saml-xml.ts';
import { checkMaxAttempts, MAX_ATTEMPTS } from './tries.ts';

/** SAML 2.0: a request by HTTP-Redirect, a signed assertion back by HTTP-POST. */
export const saml: Method = {
  label: 'SAML 2.0',
  fields: {
    metadata_url: {
      help: 'Address of the IdP’s metadata, which follows certificates that change; this or --metadata-xml',
      fallback: '',
      called: true,
    },
    metadata_xml: { help: 'The IdP’s metadata, where it has no address', fallback: '', file: true },
    subject_attribute: {
      help: 'Attribute by which people are known besides their e-mail address, such as an employee number',
      fallback: '',
    },
    email_attribute: {
      help: 'Attribute that alone holds the e-mail address; otherwise the usual ones count, and NameID if there is none',
      fallback: '',
    },
    required_acr: {
      help: 'AuthnContextClassRef values that count, separated by spaces; asked for and checked',
      fallback: '',
    },
    signing_secret: {
      help: 'RSA private key (PEM) that requests are signed with, so that nobody can change them on the way',
      fallback: '',
    },
    max_attempts: MAX_ATTEMPTS,
  },

  checkSettings(settings) {
    const { metadata_xml = '', metadata_url = '' } = settings;
    if ((metadata_xml === '') === (metadata_url === ''))
      throw invalid('either metadata_url or metadata_xml must be entered', 'metadata_url');
    if (metadata_xml !== '') checkMetadata(metadata_xml);
    checkSigningSecret(settings);
    checkMaxAttempts(settings);
  },

  setUp: (publicUrl, { settings }) => [
    'At the IdP, add an application for SAML 2.0 and enter this:',
    `  Entity ID (audience, also the metadata URL): ${entityIdOf(publicUrl)}`,
    `  ACS URL (reply URL, single sign-on URL, recipient, destination): ${acsUrlOf(publicUrl)}`,
    '  NameID: the e-mail address (format emailAddress)',
    '  Signature: sign the assertion, with RSA-SHA256; no encryption',
    'Each request asks for a new sign-in (ForceAuthn), and the answer is refused without one.',
    settings.signing_secret
      ? 'Requests are signed: enter the certificate of that key, and have the IdP demand signed requests.'
      : 'Requests are not signed: do not demand that, or enter --signing-secret.',
  ],

  async begin(run, idp, http) {
    const samlIdp = await findSamlIdp(idp, http, new Date());
    const isGood: boolean = isWebUrl(samlIdp.signInUrl, http.reach.http);
    if (!isGood)
      throw new SignInRefused('idp_unavailable', `People are not sent to ${quoted(samlIdp.signInUrl)}`);
    return newRequest(run, samlIdp, idp.settings);
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
    // What the parser says of it is for programmers.
    const why = error.message.replace(/(well-formed XML): .*/s, '$1').replace(/\.$/, '');
    const clause = why.charAt(0).toLowerCase() + why.slice(1);
    throw invalid(`metadata_xml is not the metadata of a SAML IdP: ${clause}`, 'metadata_xml');
  }
}
