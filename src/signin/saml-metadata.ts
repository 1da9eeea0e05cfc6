import { generateServiceProviderMetadata } from '@node-saml/node-saml';

const EMAIL_FORMAT = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';

/** The name that an IdP knows this server by; its metadata is served there. */
export function entityIdOf(publicUrl: string): string {
  return `${publicUrl}/saml/metadata`;
}

/** Where an IdP posts its answers to. */
export function acsUrlOf(publicUrl: string): string {
  return `${publicUrl}/saml/acs`;
}

/** This server as a SAML service provider, in XML: the same text every time. */
export function serviceMetadata(publicUrl: string): string {
  return generateServiceProviderMetadata({
    issuer: entityIdOf(publicUrl),
    callbackUrl: acsUrlOf(publicUrl),
    identifierFormat: EMAIL_FORMAT,
    wantAssertionsSigned: true,
    generateUniqueId: () => '_countersign',
  });
}
