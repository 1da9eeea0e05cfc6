import type { Settings } from '../providers/provider.ts';
import { SignInRefused } from './method.ts';
import type { SignIn } from './method.ts';
import { attributeOf, childNamed, childrenNamed, textOf } from './saml-xml.ts';

/** Where IdPs put the e-mail address, unless they are told otherwise: the LDAP attribute, Microsoft's, and plain names. */
const EMAIL_ATTRIBUTES = [
  'urn:oid:0.9.2342.19200300.100.1.3',
  'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress',
  'email',
  'mail',
];
const METHODS_ATTRIBUTE = 'http://schemas.microsoft.com/claims/authnmethodsreferences';

/** What an assertion says of the person. Throws SignInRefused when it names nobody, BadXml when a value is not plain text. */
export function readPerson(
  assertion: Element,
  { subject_attribute = '', email_attribute = '' }: Settings,
): Pick<SignIn, 'id' | 'email' | 'claim' | 'amr'> {
  const subject = childNamed(assertion, 'assertion', 'Subject');
  const name = subject && childNamed(subject, 'assertion', 'NameID');
  const id = name ? textOf(name) : '';
  if (id === '') throw new SignInRefused('no_subject', 'The assertion has no NameID');
  const values = readAttributes(assertion);
  const emails = email_attribute ? values(email_attribute) : [id, ...EMAIL_ATTRIBUTES.flatMap(values)];
  return {
    id,
    email: emails.find(isEmail) ?? null,
    claim: subject_attribute ? values(subject_attribute) : [],
    amr: values(METHODS_ATTRIBUTE),
  };
}

function isEmail(text: string): boolean {
  return /^[^\s@]+@[^\s@]+$/.test(text);
}

function readAttributes(assertion: Element): (name: string) => string[] {
  const attributes = childrenNamed(assertion, 'assertion', 'AttributeStatement').flatMap((statement) =>
    childrenNamed(statement, 'assertion', 'Attribute'),
  );
  return (name) =>
    attributes
      .filter((attribute) => attributeOf(attribute, 'Name') === name)
      .flatMap((attribute) => childrenNamed(attribute, 'assertion', 'AttributeValue'))
      .map(textOf)
      .filter(Boolean);
}
