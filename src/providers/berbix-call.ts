import { AppError } from '../kernel/errors.ts';
import type { OutboundAnswer } from '../kernel/outbound.ts';
import { ask, below, jsonOf } from './call.ts';
import { isToken } from './json.ts';
import type { Json } from './json.ts';
import type { Http, Settings } from './provider.ts';

type Call = { method: 'GET' | 'POST'; path: string; authorization: string; json?: Json };

/** Asks Berbix's API; throws `unavailable` unless it says yes, or what is expected. */
export function call(
  { base_url }: Settings,
  http: Http,
  { method, path, authorization, json }: Call,
  expected: readonly number[] = [],
): Promise<OutboundAnswer> {
  return ask('Berbix', http, {
    method,
    url: below(base_url, path),
    headers: { 'content-type': 'application/json', authorization },
    ...(json ? { body: JSON.stringify(json) } : {}),
    expected,
  });
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

/** The API secret is the user; there is no password. */
export function basic({ api_secret = '' }: Settings): string {
  return `Basic ${Buffer.from(`${api_secret}:`).toString('base64')}`;
}
