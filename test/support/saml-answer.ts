import { SignedXml } from 'xml-crypto';
import { bareCertificate } from './saml-keys.ts';
import type { Pair } from './tls.ts';

export const PUBLIC_URL = 'https://verify.example.com';
export const IDP = 'https://idp.example.com/entity';
export const PASSWORD = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport';
const EMAIL_FORMAT = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';
const NAMESPACES =
  'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"';

/** A time so many seconds from now, as SAML writes it. */
export function inSeconds(seconds: number, now = Date.now()): string {
  return new Date(now + seconds * 1_000).toISOString();
}

/** What an IdP may say. An attribute that is undefined is left out. */
export const honest = {
  responseId: '_response' as string,
  assertionId: '_assertion' as string,
  responseIssuer: IDP as string | undefined,
  issuer: IDP as string | undefined,
  destination: `${PUBLIC_URL}/saml/acs` as string | undefined,
  recipient: `${PUBLIC_URL}/saml/acs` as string | undefined,
  responseRequest: '_request' as string | undefined,
  request: '_request' as string | undefined,
  audience: `${PUBLIC_URL}/saml/metadata` as string | undefined,
  notBefore: () => inSeconds(-30) as string | undefined,
  notOnOrAfter: () => inSeconds(300) as string | undefined,
  confirmedUntil: () => inSeconds(300) as string | undefined,
  authnInstant: () => inSeconds(-1) as string | undefined,
  sessionUntil: () => undefined as string | undefined,
  acr: PASSWORD as string | undefined,
  nameId: 'ada@example.com' as string | undefined,
  nameIdFormat: EMAIL_FORMAT as string | undefined,
  attributes: {} as { [name: string]: string[] },
  status: ['Success'] as string[],
  /** more XML at the end of the conditions, of the assertion and of the response */
  moreConditions: '',
  moreAssertion: '',
  moreResponse: '',
};
export type Wish = Partial<typeof honest>;

/** An assertion, not signed yet. */
export function assertionOf(wish: Wish = {}): string {
  const it = { ...honest, ...wish };
  const attributes = Object.entries(it.attributes).map(
    ([name, values]) =>
      `<saml:Attribute Name="${name}">${values.map((value) => `<saml:AttributeValue>${value}</saml:AttributeValue>`).join('')}</saml:Attribute>`,
  );
  const instant = it.authnInstant();
  return [
    `<saml:Assertion ${NAMESPACES} ID="${it.assertionId}" Version="2.0" IssueInstant="${inSeconds(0)}">`,
    it.issuer === undefined ? '' : `<saml:Issuer>${it.issuer}</saml:Issuer>`,
    '<saml:Subject>',
    it.nameId === undefined
      ? ''
      : `<saml:NameID${attribute('Format', it.nameIdFormat)}>${it.nameId}</saml:NameID>`,
    '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">',
    `<saml:SubjectConfirmationData${attribute('InResponseTo', it.request)}${attribute('Recipient', it.recipient)}`,
    `${attribute('NotOnOrAfter', it.confirmedUntil())}/></saml:SubjectConfirmation></saml:Subject>`,
    `<saml:Conditions${attribute('NotBefore', it.notBefore())}${attribute('NotOnOrAfter', it.notOnOrAfter())}>`,
    it.audience === undefined
      ? ''
      : `<saml:AudienceRestriction><saml:Audience>${it.audience}</saml:Audience></saml:AudienceRestriction>`,
    `${it.moreConditions}</saml:Conditions>`,
    `<saml:AuthnStatement${attribute('AuthnInstant', instant)}${attribute('SessionNotOnOrAfter', it.sessionUntil())}>`,
    '<saml:AuthnContext>',
    it.acr === undefined ? '' : `<saml:AuthnContextClassRef>${it.acr}</saml:AuthnContextClassRef>`,
    '</saml:AuthnContext></saml:AuthnStatement>',
    attributes.length === 0
      ? ''
      : `<saml:AttributeStatement>${attributes.join('')}</saml:AttributeStatement>`,
    `${it.moreAssertion}</saml:Assertion>`,
  ].join('');
}

/** A response around whatever is to be in it. */
export function responseOf(wish: Wish = {}, content = assertionOf(wish)): string {
  const it = { ...honest, ...wish };
  const [outer = '', inner] = it.status.map((code) => `Value="urn:oasis:names:tc:SAML:2.0:status:${code}"`);
  return [
    `<samlp:Response ${NAMESPACES} ID="${it.responseId}" Version="2.0" IssueInstant="${inSeconds(0)}"`,
    `${attribute('Destination', it.destination)}${attribute('InResponseTo', it.responseRequest)}>`,
    it.responseIssuer === undefined ? '' : `<saml:Issuer>${it.responseIssuer}</saml:Issuer>`,
    `<samlp:Status><samlp:StatusCode ${outer}>${inner ? `<samlp:StatusCode ${inner}/>` : ''}</samlp:StatusCode></samlp:Status>`,
    `${content}${it.moreResponse}</samlp:Response>`,
  ].join('');
}

type Signing = { of?: 'Assertion' | 'Response'; method?: string; digest?: string; keyInfo?: boolean };

/** The same XML with a signature of that element, right behind its issuer. */
export function sign(
  xml: string,
  pair: Pair,
  { of = 'Assertion', keyInfo = false, ...signing }: Signing = {},
): string {
  const signer = new SignedXml({
    privateKey: pair.key,
    ...(keyInfo ? { publicCert: pair.cert } : {}),
    idAttribute: 'ID',
    signatureAlgorithm: signing.method ?? 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    canonicalizationAlgorithm: 'http://www.w3.org/2001/10/xml-exc-c14n#',
  });
  const xpath = `//*[local-name(.)='${of}']`;
  signer.addReference({
    xpath,
    transforms: [
      'http://www.w3.org/2000/09/xmldsig#enveloped-signature',
      'http://www.w3.org/2001/10/xml-exc-c14n#',
    ],
    digestAlgorithm: signing.digest ?? 'http://www.w3.org/2001/04/xmlenc#sha256',
  });
  signer.computeSignature(xml, {
    prefix: 'ds',
    location: { reference: `${xpath}/*[local-name(.)='Issuer']`, action: 'after' },
  });
  return signer.getSignedXml();
}

/** A response with a signed assertion in it. */
export function signedResponse(pair: Pair, wish: Wish = {}): string {
  return responseOf(wish, sign(assertionOf(wish), pair));
}

/** An IdP's metadata. */
export function metadataOf(
  signers: readonly Pair[],
  { entityId = IDP, signInUrl = `${IDP}/sso`, binding = 'HTTP-Redirect', use = 'signing', more = '' } = {},
): string {
  const keys = signers.map(
    (signer) =>
      `<KeyDescriptor${use && ` use="${use}"`}><ds:KeyInfo><ds:X509Data><ds:X509Certificate>${bareCertificate(signer)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>`,
  );
  return `<?xml version="1.0"?>
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="${entityId}">
  <IDPSSODescriptor ${more} protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    ${keys.join('\n    ')}
    <SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:${binding}" Location="${signInUrl}"/>
  </IDPSSODescriptor>
</EntityDescriptor>`;
}

function attribute(name: string, value: string | undefined): string {
  return value === undefined ? '' : ` ${name}="${value}"`;
}
