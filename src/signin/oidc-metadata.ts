import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  clockTolerance,
  Configuration,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  None,
} from 'openid-client';
import type { ClientAuth, ServerMetadata } from 'openid-client';
import { parseUrl } from '../kernel/address.ts';
import { fetchThrough } from '../kernel/outbound-fetch.ts';
import { OutboundError } from '../kernel/outbound.ts';
import type { Outbound } from '../kernel/outbound.ts';
import { isWebUrl } from '../providers/call.ts';
import type { Http, Settings } from '../providers/provider.ts';
import { SignInRefused, SKEW_S } from './method.ts';
import type { OpenIdp } from './method.ts';
import { isClientRefused, shown } from './oidc-errors.ts';

/** What an IdP says of itself is asked for again after this time. */
const KEPT_MS = 3_600_000;
/** Enough for every IdP in use; when it is full, it starts over. */
const MAX_KEPT = 1_000;
const NEEDED = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const;

/** What an IdP says of itself, and the ways to show it the client's secret: what worked last comes first. */
export type Found = { metadata: ServerMetadata; ways: [ClientAuth, ClientAuth?] };

type Kept = { until: number; found: Promise<Found> };

// Beside the way out by which they came, so that they end with the server.
const kept = new WeakMap<Outbound, Map<string, Kept>>();

/** The IdP's metadata, remembered for an hour; throws idp_unavailable, which is not remembered. */
export function metadataOf({ key, settings }: OpenIdp, http: Http): Promise<Found> {
  const all = kept.get(http.outbound) ?? new Map<string, Kept>();
  kept.set(http.outbound, all);
  const known = all.get(key);
  if (known && known.until > performance.now()) return known.found;
  if (all.size >= MAX_KEPT) all.clear();
  const found = findMetadata(settings, http);
  all.set(key, { until: performance.now() + KEPT_MS, found });
  found.catch(() => all.delete(key));
  return found;
}

/** Asks the IdP what it says of itself; throws idp_unavailable with a sentence that says what to repair. */
export async function findMetadata({ issuer = '', client_id = '' }: Settings, http: Http): Promise<Found> {
  const expected = parseUrl(issuer);
  if (!expected) throw new SignInRefused('idp_unavailable', 'The issuer is not a URL.');
  const options = {
    [customFetch]: fetchThrough(http.outbound, http.reach),
    execute: http.reach.http ? [allowInsecureRequests] : [],
  };
  const config = await discovery(expected, client_id, undefined, None(), options).catch((cause: unknown) => {
    throw new SignInRefused('idp_unavailable', whyNotFound(cause), { cause });
  });
  const metadata = config.serverMetadata();
  // The library lets Microsoft's addresses for many companies pass, where anybody's company may say anything of anybody.
  if (parseUrl(metadata.issuer)?.href !== expected.href)
    throw new SignInRefused('idp_unavailable', otherIssuer(metadata.issuer));
  const missing = NEEDED.find((name) => !isWebUrl(metadata[name], http.reach.http));
  if (missing)
    throw new SignInRefused('idp_unavailable', `The metadata have no ${missing} that can be called.`);
  return { metadata, ways: waysOf(metadata) };
}

/** What the library needs for one sign-in. The IdP's keys are fetched each time: new ones and withdrawn ones count at once. */
export function configurationOf(
  { metadata, ways }: Found,
  { client_id = '', client_secret = '' }: Settings,
  http: Http,
  way: ClientAuth = ways[0],
): Configuration {
  const config = new Configuration(metadata, client_id, { client_secret, [clockTolerance]: SKEW_S }, way);
  config[customFetch] = fetchThrough(http.outbound, http.reach);
  if (http.reach.http) allowInsecureRequests(config);
  enableNonRepudiationChecks(config);
  return config;
}

/**
 * Asks with the client's secret. Not every IdP lists how it takes one, or takes what it lists from each client; one that
 * refuses the client has not looked at the rest, so that the same can be asked in the other way.
 */
export async function withSecret<T>(found: Found, ask: (way: ClientAuth) => Promise<T>): Promise<T> {
  const [first, second] = found.ways;
  try {
    return await ask(first);
  } catch (error) {
    if (!second || !isClientRefused(error)) throw error;
    const answer = await ask(second);
    found.ways = [second, first];
    return answer;
  }
}

// Discovery 1.0 §3: Basic where nothing is listed.
function waysOf({ token_endpoint_auth_methods_supported: listed }: ServerMetadata): Found['ways'] {
  const [basic, form] = [ClientSecretBasic(), ClientSecretPost()];
  if (!Array.isArray(listed)) return [basic, form];
  if (!listed.includes('client_secret_post')) return [basic];
  return listed.includes('client_secret_basic') ? [basic, form] : [form];
}

function whyNotFound(error: unknown): string {
  const { code, cause } = error as { code?: string; cause?: unknown };
  if (cause instanceof OutboundError) return `The metadata cannot be fetched: ${cause.message}`;
  const { status, body } = (cause ?? {}) as { status?: number; body?: { issuer?: unknown } };
  switch (code) {
    case 'OAUTH_HTTP_REQUEST_FORBIDDEN':
      return 'The issuer must begin with https://';
    case 'OAUTH_RESPONSE_IS_NOT_CONFORM':
      return `The address of the metadata answered ${status}: check the issuer.`;
    case 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED':
      return otherIssuer(body?.issuer);
    default:
      return 'What the address of the metadata answers is no metadata: check the issuer.';
  }
}

function otherIssuer(named: unknown): string {
  return String(named).includes('{')
    ? `At this issuer people of any company sign in (${shown(named)}): enter the one of yours alone.`
    : `The IdP names itself ${shown(named)}: enter exactly that as issuer.`;
}
