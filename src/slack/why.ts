import type { Texts } from './texts/index.ts';

/** The words for each `failure_reason`; what only a broken or forged answer can be has one for all. */
const WHY: { [reason: string]: keyof Texts['why'] } = {
  declined: 'declined',
  provider_expired: 'late',
  provider_abandoned: 'abandoned',
  access_denied: 'said_no',
  subject_mismatch: 'mismatch',
  stale_authentication: 'stale',
  insufficient_acr: 'weak',
  email_not_verified: 'unnamed',
  no_subject: 'unnamed',
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

/** Which words say why; undefined where the end itself says all (`canceled`, `incident_reported`, `undeliverable`, none). */
export function whyOf(reason: string | null): keyof Texts['why'] | undefined {
  return reason !== null && Object.hasOwn(WHY, reason) ? WHY[reason] : undefined;
}
