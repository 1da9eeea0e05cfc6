import type { Settings } from '../providers/provider.ts';
import { SignInRefused } from './method.ts';
import type { SignIn } from './method.ts';
import { isEmail, isPlain, quoted } from './plain.ts';
import { attributeOf, BadXml, childNamed, childrenNamed, textOf } from './saml-xml.ts';

/** Where IdPs put the e-mail address, unless they are told otherwise: the LDAP attribute, Microsoft's, and plain names. */
const EMAIL_ATTRIBUTES = [
  'urn:oid:0.9.2342.19200300.100.1.3',
  'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress',
  'email',
  'mail',
];
const METHODS_ATTRIBUTE = 'http://schemas.microsoft.com/claims/authnmethodsreferences';
const UNSPECIFIED = 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified';
/** Any other kind of name may look like an e-mail address, and be none: a persistent name, a Kerberos principal. */
const EMAIL_FORMATS = new Set(['urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress', UNSPECIFIED]);

/** What an assertion says of the person. Throws SignInRefused when it names nobody, BadXml when a value is not plain text. */
export function readPerson(
  assertion: Element,
  { subject_attribute = '', email_attribute = '' }: Settings,
): Pick<SignIn, 'id' | 'email' | 'claim' | 'amr'> {
  const subject = childNamed(assertion, 'assertion', 'Subject');
  const name = subject && childNamed(subject, 'assertion', 'NameID');
  const id = name ? textOf(name) : '';
  if (!name || id === '') throw new SignInRefused('no_subject', 'The assertion has no NameID');
  if (!isPlain(id)) throw new SignInRefused('no_subject', `NameID is no plain text: ${quoted(id)}`);
  const values = readAttributes(assertion);
  const told = (email_attribute ? [email_attribute] : EMAIL_ATTRIBUTES).flatMap(values);
  const isNameEmail = email_attribute === '' && told.length === 0 && isEmailFormat(name);
  return {
    id,
    email: (isNameEmail ? [id] : told).find(isEmail) ?? null,
    claim: subject_attribute ? values(subject_attribute) : [],
    amr: values(METHODS_ATTRIBUTE),
  };
}

function isEmailFormat(name: Element): boolean {
  return EMAIL_FORMATS.has(attributeOf(name, 'Format') ?? UNSPECIFIED);
}

/** The values of an attribute, of which all are plain text. */
function readAttributes(assertion: Element): (name: string) => string[] {
  const attributes = childrenNamed(assertion, 'assertion', 'AttributeStatement').flatMap((statement) =>
    childrenNamed(statement, 'assertion', 'Attribute'),
  );
  return (name) => {
    const values = attributes
      .filter((attribute) => attributeOf(attribute, 'Name') === name)
      .flatMap((attribute) => childrenNamed(attribute, 'assertion', 'AttributeValue'))
      .map(textOf)
      .filter(Boolean);
    const odd = values.find((value) => !isPlain(value));
    if (odd !== undefined) throw new BadXml(`Attribute ${name} is no plain text: ${quoted(odd)}`);
    return values;
  };
}
