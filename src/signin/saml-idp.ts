import { X509Certificate } from 'node:crypto';
import {
  attributeOf,
  BadXml,
  childrenNamed,
  isElement,
  NAMESPACE,
  parseXml,
  textOf,
  withDescendants,
} from './saml-xml.ts';

const REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';

/** What an IdP's metadata says of it, as far as it matters here. */
export type SamlIdp = {
  entityId: string;
  /** where the browser takes a request to */
  signInUrl: string;
  /** any of them may have signed: there are two while the IdP replaces one */
  certificates: X509Certificate[];
  wantsSignedRequests: boolean;
};

/** Reads an IdP's metadata; throws BadXml, saying what is wrong, for what nobody could sign in with. */
export function readSamlIdp(metadata: string): SamlIdp {
  const root = parseXml(metadata.replace(/^\uFEFF/, '').trimStart());
  const roles = withDescendants(root).filter(isIdpRole);
  const [role, ...others] = roles;
  if (!role) throw new BadXml('It describes no SAML 2.0 IdP: there is no IDPSSODescriptor in it.');
  if (others.length > 0) throw new BadXml(`It describes ${roles.length} IdPs; take the metadata of one.`);
  const entity = role.parentNode as Element;
  const entityId = isElement(entity, 'metadata', 'EntityDescriptor')
    ? attributeOf(entity, 'entityID')
    : undefined;
  if (!entityId) throw new BadXml('The IdP has no entityID.');
  return {
    entityId,
    signInUrl: readSignInUrl(role),
    certificates: readCertificates(role),
    wantsSignedRequests: ['true', '1'].includes(attributeOf(role, 'WantAuthnRequestsSigned') ?? ''),
  };
}

function isIdpRole(element: Element): boolean {
  const protocols = attributeOf(element, 'protocolSupportEnumeration') ?? '';
  return (
    isElement(element, 'metadata', 'IDPSSODescriptor') && protocols.split(/\s+/).includes(NAMESPACE.protocol)
  );
}

function readSignInUrl(role: Element): string {
  const services = childrenNamed(role, 'metadata', 'SingleSignOnService');
  const redirect = services.find((service) => attributeOf(service, 'Binding') === REDIRECT);
  const url = redirect && attributeOf(redirect, 'Location');
  if (url) return url;
  throw new BadXml(
    services.length === 0
      ? 'The IdP has no SingleSignOnService.'
      : 'The IdP takes no requests by HTTP-Redirect, and this server sends none by another binding; turn it on at the IdP.',
  );
}

function readCertificates(role: Element): X509Certificate[] {
  const certificates = childrenNamed(role, 'metadata', 'KeyDescriptor')
    .filter((key) => ['signing', undefined].includes(attributeOf(key, 'use')))
    .flatMap(withDescendants)
    .filter((element) => isElement(element, 'signature', 'X509Certificate'))
    .flatMap(readCertificate)
    // Signatures by other keys are not supported, and one that is not needed does no harm.
    .filter(({ publicKey }) => publicKey.asymmetricKeyType === 'rsa');
  if (certificates.length === 0)
    throw new BadXml('The IdP names no certificate with an RSA key that it signs with.');
  return certificates;
}

function readCertificate(element: Element): X509Certificate[] {
  try {
    return [new X509Certificate(Buffer.from(textOf(element), 'base64'))];
  } catch {
    return [];
  }
}
