import { AppError } from '../kernel/errors.ts';
import type { OutboundAnswer } from '../kernel/outbound.ts';
import { parseObject } from './json.ts';
import type { Json } from './json.ts';
import type { Http, Settings } from './provider.ts';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 262_144;
const TOKEN = /^[\x21-\x7e]{1,8192}$/;

type Call = { method: 'GET' | 'POST'; path: string; authorization: string; json?: Json };

/** One call to Berbix's API; throws unavailable unless it is answered 2xx, or with a status that is expected. */
export async function call(
  { base_url = '' }: Settings,
  { outbound, reach }: Http,
  { method, path, authorization, json }: Call,
  expected: readonly number[] = [],
): Promise<OutboundAnswer> {
  const answer = await outbound.request({
    method,
    url: `${base_url.replace(/\/+$/, '')}${path}`,
    headers: { 'content-type': 'application/json', authorization },
    ...(json ? { body: JSON.stringify(json) } : {}),
    reach,
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_ANSWER_BYTES,
  });
  const { status } = answer;
  if ((status < 200 || status > 299) && !expected.includes(status)) {
    throw new AppError('unavailable', `Berbix answered ${status}`);
  }
  return answer;
}

/** Exchanges a refresh token for an access token. */
export async function fetchAccessToken(token: string, settings: Settings, http: Http): Promise<string> {
  const answer = await call(settings, http, {
    method: 'POST',
    path: '/v0/tokens',
    authorization: basic(settings),
    json: { grant_type: 'refresh_token', refresh_token: token },
  });
  const accessToken = jsonOf(answer)?.access_token;
  if (!isToken(accessToken)) throw new AppError('unavailable', 'Berbix answered without an access token');
  return accessToken;
}

/** The answer's JSON object, if it is one. */
export function jsonOf(answer: OutboundAnswer): Json | undefined {
  return parseObject(answer.body.toString('utf8'));
}

/** The API secret is the user; there is no password. */
export function basic({ api_secret = '' }: Settings): string {
  return `Basic ${Buffer.from(`${api_secret}:`).toString('base64')}`;
}

/** Fit for a header, whatever answered. */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && TOKEN.test(value);
}
