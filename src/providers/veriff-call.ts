import { hmacHex, safeEqual } from '../kernel/crypto.ts';
import { AppError } from '../kernel/errors.ts';
import { ask, below, jsonOf } from './call.ts';
import type { Json } from './json.ts';
import type { Http, Settings } from './provider.ts';

const SIGNATURE = /^[0-9a-f]{64}$/i;

/** What to ask Veriff; `signed` is the body of a POST, and of a GET the id in its path (Veriff, HMAC authentication). */
type Call = { method: 'GET' | 'POST'; path: string; signed: string; body?: string };

/** Asks Veriff's API; throws `unavailable` unless it says yes. Returns nothing where the answer is no JSON object. */
export async function call(
  settings: Settings,
  http: Http,
  { method, path, signed, body }: Call,
): Promise<Json | undefined> {
  const { api_key = '', shared_secret = '', base_url = '' } = settings;
  const answer = await ask('Veriff', http, {
    method,
    url: below(below(base_url, '').replace(/\/v1$/, ''), `/v1${path}`),
    headers: {
      'content-type': 'application/json',
      'x-auth-client': api_key,
      'x-hmac-signature': hmacHex(shared_secret, signed),
    },
    ...(body === undefined ? {} : { body }),
  });
  const signatures = [answer.headers['x-hmac-signature'], answer.headers['vrf-hmac-signature']];
  // Not every answer is signed; whatever signature is there must be right.
  if (signatures.some((value) => value !== undefined && !isSignature(value, settings, answer.body))) {
    throw new AppError('unavailable', 'Veriff’s answer has a wrong signature');
  }
  return jsonOf(answer);
}

/** Whether this signature was made over these bytes with the account's secret. */
export function isSignature(value: string, { shared_secret }: Settings, body: Buffer): boolean {
  return (
    SIGNATURE.test(value) && !!shared_secret && safeEqual(value.toLowerCase(), hmacHex(shared_secret, body))
  );
}
