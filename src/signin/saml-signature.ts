import { SAML, ValidateInResponseTo } from '@node-saml/node-saml';
import type { Profile } from '@node-saml/node-saml';
import { SignInRefused } from './method.ts';
import type { IdpAnswer } from './method.ts';
import type { SamlIdp } from './saml-idp.ts';
import { acsUrlOf, entityIdOf } from './saml-metadata.ts';
import { quoted } from './plain.ts';
import { attributeOf, BadXml, childrenNamed, childrenOf, isElement, withDescendants } from './saml-xml.ts';

const ALGORITHMS = new Set([
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
  'http://www.w3.org/2001/04/xmlenc#sha256',
  'http://www.w3.org/2001/04/xmlenc#sha512',
]);
const PARTS = new Set(['SignedInfo', 'SignatureValue', 'KeyInfo']);
/** With a chain of certificates in it, one has some thirty. */
const MAX_SIGNATURE_ELEMENTS = 60;
const MAX_PREFIX_CHARACTERS = 1_000;
const ENCRYPTED = new Set(['EncryptedAssertion', 'EncryptedID', 'EncryptedAttribute', 'EncryptedData']);

/**
 * Refuses every response in which somebody could have moved something that is signed to where it is not looked for, or
 * the reverse: one assertion, in its place; signatures only where they belong, and of nothing but their parent. `elements` are all there are.
 */
export function checkSignatures(response: Element, elements: Element[]): void {
  if (elements.some(({ localName }) => ENCRYPTED.has(localName)))
    throw new BadXml(
      'It is encrypted, and this server has no key: turn encryption of assertions off at the IdP.',
    );
  const [assertion, ...others] = elements.filter(({ localName }) => localName === 'Assertion');
  if (!assertion) throw new BadXml('There is no assertion in it.');
  if (
    others.length > 0 ||
    assertion.parentNode !== response ||
    !isElement(assertion, 'assertion', 'Assertion')
  )
    throw suspicious('The response has more than one assertion, or one in an odd place');
  const signatures = elements.filter(({ localName }) => localName === 'Signature');
  if (signatures.length === 0) throw new SignInRefused('unsigned_assertion', 'Nothing is signed');
  if (signatures.some(({ parentNode }) => parentNode !== response && parentNode !== assertion))
    throw suspicious('There is a signature in an odd place');
  if (childrenNamed(assertion, 'signature', 'Signature').length === 0)
    throw new SignInRefused(
      'unsigned_assertion',
      'The assertion is not signed, only the response: sign both',
    );
  signatures.forEach(checkSignature);
  checkIds(elements);
}

/** The signed assertion's own bytes, and nothing around them. Throws SignInRefused unless one of the certificates signed it. */
export async function verifiedAssertion(xml: string, answer: IdpAnswer, idp: SamlIdp): Promise<string> {
  const SAMLResponse = Buffer.from(xml).toString('base64');
  try {
    const { profile } = await verifierOf(answer, idp).validatePostResponseAsync({ SAMLResponse });
    return assertionOf(profile);
  } catch (error) {
    const { message } = error as Error;
    // Without the cause, which would be logged with all that it quotes.
    throw new SignInRefused(reasonOf(message), `The assertion is not accepted: ${quoted(message)}`);
  }
}

function checkSignature(signature: Element): void {
  const parts = childrenOf(signature);
  const isPlain =
    isElement(signature, 'signature', 'Signature') && parts.every(({ localName }) => PARTS.has(localName));
  if (!isPlain) throw suspicious('A signature carries more than a signature');
  const elements = withDescendants(signature);
  if (elements.length > MAX_SIGNATURE_ELEMENTS)
    throw suspicious(`A signature consists of ${elements.length} elements`);
  const uris = elements
    .filter(({ localName }) => localName === 'Reference')
    .map((reference) => attributeOf(reference, 'URI'));
  const id = attributeOf(signature.parentNode as Element, 'ID');
  if (!id || uris.length !== 1 || uris[0] !== `#${id}`)
    throw suspicious('A signature is of something else than the element it stands in');
  // Each of these is looked for among the namespaces of each element.
  const prefixes = elements.map((element) => attributeOf(element, 'PrefixList') ?? '').join('');
  if (prefixes.length > MAX_PREFIX_CHARACTERS)
    throw suspicious(`A signature keeps namespaces, named in ${prefixes.length} characters`);
  checkAlgorithms(elements);
}

function checkAlgorithms(elements: Element[]): void {
  const weak = elements
    .filter(({ localName }) => localName === 'SignatureMethod' || localName === 'DigestMethod')
    .map((method) => attributeOf(method, 'Algorithm') ?? 'no algorithm')
    .find((algorithm) => !ALGORITHMS.has(algorithm));
  if (weak !== undefined)
    throw suspicious(`A signature is made with ${quoted(weak)}; let the IdP sign with RSA-SHA256`);
}

/** The verifier looks for what is signed by any of these names. */
function checkIds(elements: Element[]): void {
  const ids = elements
    .flatMap(({ attributes }) => Array.from(attributes))
    .filter(({ localName }) => ['ID', 'Id', 'id'].includes(localName))
    .map(({ value }) => value);
  if (new Set(ids).size !== ids.length) throw suspicious('Two elements have the same ID');
}

function suspicious(message: string): SignInRefused {
  return new SignInRefused('bad_signature', message);
}

/** Times and audience are left to readAssertion, which tells what is wrong with them, and goes by the time of the answer. */
function verifierOf({ kept, publicUrl }: IdpAnswer, { certificates }: SamlIdp): SAML {
  const { request_id = '', requested_at = '' } = kept;
  return new SAML({
    issuer: entityIdOf(publicUrl),
    callbackUrl: acsUrlOf(publicUrl),
    idpCert: certificates.map(String),
    wantAssertionsSigned: true,
    wantAuthnResponseSigned: false,
    audience: false,
    acceptedClockSkewMs: -1,
    validateInResponseTo: ValidateInResponseTo.always,
    cacheProvider: {
      saveAsync: () => Promise.resolve(null),
      getAsync: (id) => Promise.resolve(id === request_id ? requested_at : null),
      removeAsync: (id) => Promise.resolve(id),
    },
  });
}

function assertionOf(profile: Profile | null): string {
  const xml = profile?.getAssertionXml?.();
  if (xml === undefined) throw new Error('there is no assertion');
  return xml;
}

/** The library tells by its words alone; whatever else it stumbles over has to do with signatures. */
function reasonOf(message: string): 'wrong_request' | 'malformed_response' | 'bad_signature' {
  if (message.includes('InResponseTo')) return 'wrong_request';
  return /is not a valid date|No valid subject confirmation/.test(message)
    ? 'malformed_response'
    : 'bad_signature';
}
