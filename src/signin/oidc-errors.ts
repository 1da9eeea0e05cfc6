import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import { OutboundError } from '../kernel/outbound.ts';
import { SignInRefused } from './method.ts';
import type { Reason } from './method.ts';

/** What the library names first in its sentence about a token or an answer, and what is wrong then. */
const REASONS: { [word: string]: Reason } = {
  iss: 'wrong_issuer',
  aud: 'wrong_audience',
  azp: 'wrong_audience',
  nonce: 'wrong_nonce',
  sub: 'no_subject',
  alg: 'bad_signature',
};
const [OK, TOO_MANY_REQUESTS, BROKEN] = [200, 429, 500] as const;
const MAX_SHOWN = 100;

/** Whatever the library threw over the IdP's answer, with its reason; what is no such thing is thrown as it is. */
export function refusalOf(error: unknown): SignInRefused {
  if (error instanceof SignInRefused) return error;
  const reason = reasonOf(error);
  if (!reason) throw error;
  return new SignInRefused(reason, `The answer of the IdP does not count${detailOf(error)}`, {
    cause: error,
  });
}

/** Whether the IdP does not know the client by this id and secret, shown in this way. */
export function isClientRefused(error: unknown): boolean {
  if (error instanceof WWWAuthenticateChallengeError) return true;
  return (
    error instanceof ResponseBodyError && ['invalid_client', 'unauthorized_client'].includes(error.error)
  );
}

/** What somebody else wrote, in a form fit for a log and a terminal. */
export function shown(value: unknown): string {
  const text = (JSON.stringify(value) ?? 'nothing').replace(/[^\x20-\x7e]/g, '?');
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text;
}

function reasonOf(error: unknown): Reason | undefined {
  if (error instanceof AuthorizationResponseError)
    return error.error === 'access_denied' ? 'access_denied' : 'idp_error';
  if (error instanceof WWWAuthenticateChallengeError) return 'idp_error';
  // The code is another browser's, another client's, too old or used before.
  if (error instanceof ResponseBodyError)
    return error.error === 'invalid_grant' ? 'wrong_request' : 'idp_error';
  if (error instanceof ClientError) return reasonOfFailure(error);
  // A signature that is not base64url.
  return (error as { code?: unknown }).code === 'ERR_INVALID_ARG_VALUE' ? 'bad_signature' : undefined;
}

function reasonOfFailure({ code, cause }: ClientError): Reason | undefined {
  if (cause instanceof OutboundError) return 'idp_unavailable';
  const { status = 0, message = '', name } = (cause ?? {}) as Partial<Response & Error>;
  const isAnswer = status !== 0 && status !== OK;
  if (isAnswer) return status >= BROKEN || status === TOO_MANY_REQUESTS ? 'idp_unavailable' : 'idp_error';
  switch (code) {
    case 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED':
      return 'response_expired';
    case 'OAUTH_KEY_SELECTION_FAILED':
      return 'bad_signature';
    case undefined:
      // What the IdP publishes as its key is none.
      return name === 'DataError' ? 'bad_signature' : undefined;
    default: {
      const word = /"(\w+)"/.exec(message)?.[1] ?? '';
      if (Object.hasOwn(REASONS, word)) return REASONS[word];
      return /signature|JWS/.test(message) ? 'bad_signature' : 'malformed_response';
    }
  }
}

/** What the IdP adds. Of what a browser brings the code alone: anybody can put words into an address. */
function detailOf(error: unknown): string {
  if (error instanceof AuthorizationResponseError) return `: ${shown(error.error)}`;
  if (error instanceof ResponseBodyError)
    return `: ${shown(error.error)} ${shown(error.error_description ?? '')}`;
  return '';
}
