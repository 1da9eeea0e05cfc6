import { invalid } from '../kernel/errors.ts';
import type { Method } from './method.ts';
import { acsUrlOf, entityIdOf } from './saml-metadata.ts';

const MAX_ATTEMPTS = /^([1-9]|10)$/;

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

  begin: () => Promise.reject(new Error('not yet')),
  finish: () => Promise.reject(new Error('not yet')),
  test: () => Promise.resolve([]),
};
