import { SignInRefused } from './method.ts';
import type { IdpAnswer } from './method.ts';
import { acsUrlOf } from './saml-metadata.ts';
import { quoted } from './plain.ts';
import { FROM_ANYBODY } from './saml-limits.ts';
import { checkSignatures } from './saml-signature.ts';
import { attributeOf, BadXml, childNamed, isElement, parseXml, textOf, withDescendants } from './saml-xml.ts';

/** In base64: more than the XML in it may have. */
const MAX_CHARACTERS = 131_072;
const STATUS = 'urn:oasis:names:tc:SAML:2.0:status:';

/**
 * The text of a SAML response that is worth checking the signature of: addressed to us, an answer to this very request,
 * successful, with one assertion in it that is signed in a plain way. Throws SignInRefused for every other.
 */
export function openResponse(answer: IdpAnswer, entityId: string): string {
  const xml = decode(answer.parameters.SAMLResponse ?? '');
  const response = orMalformed(() => parseXml(xml, FROM_ANYBODY));
  orMalformed(() => {
    checkAddresses(response, answer, entityId);
    checkStatus(response);
    checkSignatures(response, withDescendants(response));
  });
  return xml;
}

/** Does that; XML that is not what SAML asks for becomes malformed_response. */
export function orMalformed<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof BadXml
      ? new SignInRefused('malformed_response', error.message, { cause: error })
      : error;
  }
}

function decode(base64: string): string {
  if (base64.length > MAX_CHARACTERS)
    throw new SignInRefused('malformed_response', `The response has ${base64.length} characters of base64`);
  const bare = base64.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(bare))
    throw new SignInRefused('malformed_response', 'The response is not base64');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(bare, 'base64'));
  } catch (error) {
    throw new SignInRefused('malformed_response', 'The response is not UTF-8', { cause: error });
  }
}

/**
 * Mostly, none of this is signed: it only tells apart what went wrong. What it says is checked once more in the
 * assertion. Issuer and Destination may be left out (profiles §4.1.4.2, bindings §3.5.5.2).
 */
function checkAddresses(response: Element, { kept, publicUrl }: IdpAnswer, entityId: string): void {
  if (!isElement(response, 'protocol', 'Response')) throw new BadXml('It is no SAML 2.0 response.');
  const issuer = childNamed(response, 'assertion', 'Issuer');
  if (issuer && textOf(issuer) !== entityId)
    throw new SignInRefused('wrong_issuer', `The response is by ${quoted(textOf(issuer))}`);
  const destination = attributeOf(response, 'Destination') ?? acsUrlOf(publicUrl);
  if (destination !== acsUrlOf(publicUrl))
    throw new SignInRefused('wrong_destination', `The response is for ${quoted(destination)}`);
  const request = attributeOf(response, 'InResponseTo');
  if (request === undefined || request !== kept.request_id)
    throw new SignInRefused('wrong_request', `The response answers ${quoted(request ?? 'no request')}`);
}

function checkStatus(response: Element): void {
  const codes = statusCodes(childNamed(response, 'protocol', 'Status'));
  if (codes[0] === `${STATUS}Success`) return;
  const reason = codes.includes(`${STATUS}RequestDenied`) ? 'access_denied' : 'idp_error';
  throw new SignInRefused(
    reason,
    `The IdP answered ${codes.map((code) => quoted(code)).join(' ') || 'without a status'}`,
  );
}

/** The status and the one below it, which is more exact. */
function statusCodes(status: Element | undefined): string[] {
  const outer = status && childNamed(status, 'protocol', 'StatusCode');
  const inner = outer && childNamed(outer, 'protocol', 'StatusCode');
  return [outer, inner].flatMap((code) => (code ? [attributeOf(code, 'Value') ?? ''] : []));
}
