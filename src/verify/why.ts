import type { Challenge } from '../challenges/challenge.ts';
import { TIMED_OUT } from '../signin/attempts-store.ts';
import type { Reason } from '../signin/method.ts';
import type { Texts } from '../web/texts/index.ts';
import { targetOf } from './parts.tsx';

/** The words for each reason; what only a broken or forged answer can be has one for all. */
const WHY: Record<Reason | typeof TIMED_OUT, keyof Texts['why']> = {
  [TIMED_OUT]: 'late',
  access_denied: 'said_no',
  idp_error: 'idp_error',
  idp_unavailable: 'idp_away',
  stale_authentication: 'stale',
  insufficient_acr: 'weak',
  email_not_verified: 'unnamed',
  no_subject: 'unnamed',
  subject_mismatch: 'mismatch',
  malformed_response: 'wrong',
  unsigned_assertion: 'wrong',
  bad_signature: 'wrong',
  wrong_issuer: 'wrong',
  wrong_audience: 'wrong',
  wrong_recipient: 'wrong',
  wrong_destination: 'wrong',
  wrong_nonce: 'wrong',
  wrong_request: 'wrong',
  response_expired: 'wrong',
  replayed_assertion: 'wrong',
};

/** What was wrong with a sign-in, for the person; undefined for what is not the sign-in's doing. */
export function whyOf(reason: string, challenge: Challenge, { why }: Texts): string | undefined {
  const key = Object.hasOwn(WHY, reason) ? WHY[reason as keyof typeof WHY] : undefined;
  if (key === undefined) return undefined;
  return key === 'mismatch' ? why.mismatch(targetOf(challenge)) : why[key];
}
