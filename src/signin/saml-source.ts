import type { Outbound } from '../kernel/outbound.ts';
import { ask } from '../providers/call.ts';
import type { Http } from '../providers/provider.ts';
import { SignInRefused } from './method.ts';
import type { OpenIdp } from './method.ts';
import { readSamlIdp } from './saml-idp.ts';
import type { SamlIdp } from './saml-idp.ts';
import { FROM_IDP } from './saml-limits.ts';
import { BadXml } from './saml-xml.ts';

const MAX_BYTES = FROM_IDP.characters;
const KEPT_MS = 60 * 60_000;
/** How soon the address is asked again, whatever the reason, and whatever it answered. */
const REST_MS = 60_000;
/** Enough for every IdP in use; when it is full, it starts over. */
const MAX_KEPT = 1_000;

type Copy = {
  idp?: SamlIdp;
  readAt: number;
  /** whenever it was asked last */
  askedAt: number;
  asking?: Promise<SamlIdp> | undefined;
  /** why there was nothing good the last time */
  failure?: unknown;
};

// Beside the way out by which they came, so that they end with the server.
const copies = new WeakMap<Outbound, Map<string, Copy>>();

/**
 * The IdP as its metadata describes it. From an address it is asked for once an hour, and once a minute with `renew` or
 * while the address gives nothing good; then the last good copy counts. Throws SignInRefused when there is none.
 */
export async function findSamlIdp(idp: OpenIdp, http: Http, at: Date, renew = false): Promise<SamlIdp> {
  const { metadata_url = '', metadata_xml = '' } = idp.settings;
  try {
    if (metadata_url === '') return readSamlIdp(metadata_xml);
    return await currentCopy(copyOf(http.outbound, idp.key), metadata_url, http, {
      now: at.getTime(),
      renew,
    });
  } catch (error) {
    throw new SignInRefused('idp_unavailable', `No metadata of the IdP: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Asks an address for an IdP's metadata and reads it; throws OutboundError, AppError or BadXml. */
export async function fetchSamlIdp(url: string, http: Http): Promise<SamlIdp> {
  const headers = { accept: 'application/samlmetadata+xml, application/xml;q=0.9, */*;q=0.1' };
  const answer = await ask('The IdP', http, { method: 'GET', url, headers, maxBytes: MAX_BYTES });
  if (answer.truncated) throw new BadXml(`It is larger than ${MAX_BYTES} bytes.`);
  return readSamlIdp(answer.body.toString('utf8'));
}

/** What an error says, for an operator. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function currentCopy(
  copy: Copy,
  url: string,
  http: Http,
  { now, renew }: { now: number; renew: boolean },
): Promise<SamlIdp> {
  const { idp } = copy;
  const isYoung = now - copy.readAt < KEPT_MS && !renew;
  const isResting = now - copy.askedAt < REST_MS;
  if (idp && (isYoung || isResting)) return idp;
  if (isResting && !copy.asking) throw copy.failure;
  copy.asking ??= renewCopy(copy, url, http, now);
  return idp ? copy.asking.catch(() => idp) : copy.asking;
}

async function renewCopy(copy: Copy, url: string, http: Http, now: number): Promise<SamlIdp> {
  copy.askedAt = now;
  try {
    copy.idp = await fetchSamlIdp(url, http);
    copy.readAt = now;
    return copy.idp;
  } catch (error) {
    copy.failure = error;
    throw error;
  } finally {
    copy.asking = undefined;
  }
}

function copyOf(outbound: Outbound, key: string): Copy {
  const known = copies.get(outbound) ?? new Map<string, Copy>();
  copies.set(outbound, known);
  if (known.size >= MAX_KEPT && !known.has(key)) known.clear();
  const copy = known.get(key) ?? { readAt: -Infinity, askedAt: -Infinity };
  known.set(key, copy);
  return copy;
}
