import { sha256 } from '../kernel/crypto.ts';
import type { Settings } from '../providers/provider.ts';
import { isFresh, SignInRefused, SKEW_S } from './method.ts';
import type { IdpAnswer, SignIn } from './method.ts';
import { acsUrlOf, entityIdOf } from './saml-metadata.ts';
import { isPlain, quoted } from './plain.ts';
import { readPerson } from './saml-person.ts';
import { orMalformed } from './saml-response.ts';
import {
  attributeOf,
  BadXml,
  childNamed,
  childrenNamed,
  childrenOf,
  isElement,
  parseXml,
  textOf,
  timeIn,
} from './saml-xml.ts';

const SKEW_MS = SKEW_S * 1_000;
const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer';
const CONDITIONS = new Set(['AudienceRestriction', 'OneTimeUse', 'ProxyRestriction']);

/** Who signed in, by an assertion whose signature is right. Throws SignInRefused unless it was made for us, now, in answer to this request. */
export function readAssertion(xml: string, answer: IdpAnswer, entityId: string, settings: Settings): SignIn {
  return orMalformed(() => {
    const assertion = parseXml(xml);
    const id = attributeOf(assertion, 'ID');
    if (!isElement(assertion, 'assertion', 'Assertion') || !id)
      throw new BadXml('It is no SAML 2.0 assertion.');
    checkIssuer(assertion, entityId);
    const until = checkConfirmation(assertion, answer);
    checkConditions(assertion, answer);
    const { auth_time, acr } = readAuthentication(assertion, answer, settings);
    // No longer than this would it be accepted anyway.
    const once = { key: sha256(`${entityId}\n${id}`), until: new Date(until + SKEW_MS) };
    return { issuer: entityId, ...readPerson(assertion, settings), auth_time, acr, once };
  });
}

/** The values of a setting that holds several, separated by spaces. */
export function wordsOf(text = ''): string[] {
  return text.split(/\s+/).filter(Boolean);
}

function checkIssuer(assertion: Element, entityId: string): void {
  const issuer = childNamed(assertion, 'assertion', 'Issuer');
  const name = issuer ? textOf(issuer) : '';
  if (name !== entityId)
    throw new SignInRefused('wrong_issuer', `The assertion is by ${quoted(name) || 'nobody'}`);
}

/** Whoever brings the assertion may use it: here, until then, for this request (profiles §4.1.4.2). Returns until when. */
function checkConfirmation(assertion: Element, answer: IdpAnswer): number {
  const subject = childNamed(assertion, 'assertion', 'Subject');
  const bearers = (subject ? childrenNamed(subject, 'assertion', 'SubjectConfirmation') : [])
    .filter((confirmation) => attributeOf(confirmation, 'Method') === BEARER)
    .map((confirmation) => childNamed(confirmation, 'assertion', 'SubjectConfirmationData'))
    .filter((data) => data !== undefined);
  const [bearer, ...others] = bearers;
  if (!bearer || others.length > 0)
    throw new BadXml(`It has ${bearers.length} bearer confirmations, not one.`);
  const recipient = attributeOf(bearer, 'Recipient');
  if (recipient !== acsUrlOf(answer.publicUrl))
    throw new SignInRefused('wrong_recipient', `The assertion is for ${quoted(recipient ?? 'no recipient')}`);
  const request = attributeOf(bearer, 'InResponseTo');
  if (request === undefined || request !== answer.kept.request_id)
    throw new SignInRefused('wrong_request', `The assertion answers ${quoted(request ?? 'no request')}`);
  checkWindow(bearer, answer.now);
  const until = timeIn(bearer, 'NotOnOrAfter');
  if (until === undefined) throw new BadXml('The confirmation has no end.');
  return until;
}

function checkConditions(assertion: Element, { publicUrl, now }: IdpAnswer): void {
  const conditions = childNamed(assertion, 'assertion', 'Conditions');
  if (!conditions)
    throw new SignInRefused('wrong_audience', 'The assertion has no conditions, so no audience');
  checkWindow(conditions, now);
  const unknown = childrenOf(conditions).find(({ localName }) => !CONDITIONS.has(localName));
  if (unknown) throw new BadXml(`It has a condition that is not known here: ${quoted(unknown.localName)}.`);
  const audiences = childrenNamed(conditions, 'assertion', 'AudienceRestriction').map((restriction) =>
    childrenNamed(restriction, 'assertion', 'Audience').map(textOf),
  );
  if (audiences.length === 0 || !audiences.every((names) => names.includes(entityIdOf(publicUrl))))
    throw new SignInRefused(
      'wrong_audience',
      `The assertion is for ${quoted(audiences.flat().join(' ') || 'no audience')}`,
    );
}

function readAuthentication(
  assertion: Element,
  answer: IdpAnswer,
  { required_acr }: Settings,
): Pick<SignIn, 'auth_time' | 'acr'> {
  const statement = childNamed(assertion, 'assertion', 'AuthnStatement');
  const instant = statement && timeIn(statement, 'AuthnInstant');
  if (!statement || instant === undefined)
    throw new SignInRefused('stale_authentication', 'The assertion does not tell when the person signed in');
  const auth_time = instant / 1_000;
  if (!isFresh(auth_time, answer))
    throw new SignInRefused(
      'stale_authentication',
      `The person signed in at ${new Date(instant).toISOString()}`,
    );
  const end = timeIn(statement, 'SessionNotOnOrAfter');
  if (end !== undefined && end <= answer.now.getTime() - SKEW_MS)
    throw new SignInRefused('response_expired', 'The session at the IdP has ended');
  const acr = readAcr(statement);
  const wanted = wordsOf(required_acr);
  if (wanted.length > 0 && !(acr !== null && wanted.includes(acr)))
    throw new SignInRefused('insufficient_acr', `The person signed in as ${acr ?? 'the IdP does not say'}`);
  return { auth_time, acr };
}

function readAcr(statement: Element): string | null {
  const context = childNamed(statement, 'assertion', 'AuthnContext');
  const reference = context && childNamed(context, 'assertion', 'AuthnContextClassRef');
  const acr = reference ? textOf(reference) : '';
  if (acr === '') return null;
  if (!isPlain(acr)) throw new BadXml(`AuthnContextClassRef is no plain text: ${quoted(acr)}`);
  return acr;
}

function checkWindow(element: Element, now: Date): void {
  const from = timeIn(element, 'NotBefore') ?? -Infinity;
  const until = timeIn(element, 'NotOnOrAfter') ?? Infinity;
  if (from > now.getTime() + SKEW_MS)
    throw new SignInRefused('response_expired', `It is not valid before ${new Date(from).toISOString()}`);
  if (until <= now.getTime() - SKEW_MS)
    throw new SignInRefused('response_expired', `It was valid until ${new Date(until).toISOString()}`);
}
