import { parseUrl } from '../kernel/address.ts';
import { safeEqual } from '../kernel/crypto.ts';
import { AppError, invalid } from '../kernel/errors.ts';
import { isWebUrl } from './call.ts';
import { asObject, isToken, objectsOf, UNREADABLE, wordOf } from './json.ts';
import type { Http, Provider, RawRequest, Report, Settings } from './provider.ts';
import { call, isSignature } from './veriff-call.ts';
import { conclusionOf, readDecision, readWebhook } from './veriff-webhooks.ts';

/** Newer deliveries carry VRF names, older ones X names, some both. */
const HEADERS = [
  ['x-auth-client', 'x-hmac-signature'],
  ['vrf-auth-client', 'vrf-hmac-signature'],
] as const;

/** Veriff: sessions, all its webhooks, and reading a decision back. */
export const veriff: Provider = {
  label: 'Veriff',
  fields: {
    api_key: { help: 'API key of the integration (Veriff Customer Portal → All Integrations → Settings)' },
    shared_secret: { help: 'Shared secret key of the same integration' },
    base_url: {
      help: 'Base URL of the same integration, such as https://stationapi.veriff.com',
      called: true,
    },
  },
  // Veriff, webhook IP addresses: the United States, then the European Union.
  addresses: [
    ...['100.20.120.34', '52.25.243.218', '54.148.105.103', '54.218.205.80'],
    ...['18.98.6.64/27', '3.42.137.128/27', '3.42.136.96/27'],
    ...['34.254.42.181', '34.242.213.89', '52.19.226.239', '3.251.215.160/27'],
  ],
  comesBack: true,

  checkSettings({ api_key = '', shared_secret = '', base_url = '' }) {
    for (const [field, value] of Object.entries({ api_key, shared_secret })) {
      if (!isToken(value))
        throw invalid(`${field} must be copied from Veriff as it is, without spaces`, field);
    }
    if (api_key === shared_secret) {
      throw invalid(
        'shared_secret is the same as api_key; Veriff shows both, one below the other',
        'shared_secret',
      );
    }
    const url = parseUrl(base_url);
    if (!url || !/^\/(v1\/?)?$/.test(url.pathname) || url.search || url.hash) {
      throw invalid(
        'base_url must be the Base URL that Veriff shows, such as https://stationapi.veriff.com',
        'base_url',
      );
    }
  },

  setUp: (webhookUrl) => [
    'In the Veriff Customer Portal, open All Integrations, then this integration, then Settings.',
    'Enter this in every webhook URL field there is (decisions, events, watchlist screening, user-defined statuses,',
    'full auto, INE, CURP): one URL takes them all.',
    `  ${webhookUrl}`,
    'Only decisions are needed (on the Essential plan: full auto); events show how far the person is.',
  ],

  async startSession({ challengeId, returnUrl }, settings, http) {
    const body = JSON.stringify({ verification: { callback: returnUrl, vendorData: challengeId } });
    const answer = await call(settings, http, { method: 'POST', path: '/sessions', signed: body, body });
    const { id, url } = asObject(answer?.verification) ?? {};
    const sessionId = wordOf(id);
    if (sessionId === null || !isWebUrl(url, http.reach.http)) {
      throw new AppError('unavailable', 'Veriff answered without a session');
    }
    return { sessionId, url };
  },

  openWebhook(request, settings) {
    const present = HEADERS.filter((names) => names.some((name) => request.headers[name] !== undefined));
    // Whatever is there must be right.
    const authentic = present.every(
      ([client, signature]) =>
        safeEqual(header(request, client), settings.api_key ?? '') &&
        isSignature(header(request, signature), settings, request.body),
    );
    if (present.length === 0 || !authentic) throw new AppError('unauthorized', 'Invalid signature');
    return request.body.toString('utf8');
  },

  readWebhook,

  async fetchReport({ sessionId }, settings, http) {
    const answer = await readBack(sessionId, 'decision', settings, http);
    if (answer?.verification === null) return fetchNewestAttempt(sessionId, settings, http);
    const verification = asObject(answer?.verification);
    return verification?.id === sessionId ? readDecision(verification, '').report : undefined;
  },
};

/**
 * How the newest attempt stands. A choice of ours: plans that send full auto webhooks get no decisions, and it is not
 * documented that the decision endpoint then has one; so a conclusive word of the attempt itself counts too.
 */
async function fetchNewestAttempt(
  sessionId: string,
  settings: Settings,
  http: Http,
): Promise<Report | undefined> {
  const answer = await readBack(sessionId, 'attempts', settings, http);
  const [newest] = objectsOf(answer?.verifications);
  if (!newest) return undefined;
  const word = wordOf(newest.status) ?? UNREADABLE;
  // The answer echoes nothing of ours, and its only time is that of the attempt's beginning.
  return { decision: conclusionOf(word), word, reasonCode: null, decidedAt: undefined, challengeId: null };
}

function readBack(sessionId: string, what: 'decision' | 'attempts', settings: Settings, http: Http) {
  const path = `/sessions/${encodeURIComponent(sessionId)}/${what}`;
  return call(settings, http, { method: 'GET', path, signed: sessionId });
}

function header(request: RawRequest, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}
