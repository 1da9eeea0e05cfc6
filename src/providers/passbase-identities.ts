import { AppError } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import { ask, below, jsonOf } from './call.ts';
import { asObject, objectsOf, parseObject, sortableTime, UNREADABLE, wordOf } from './json.ts';
import type { Json } from './json.ts';
import type { Http, Report, Settings } from './provider.ts';

/** An identity may carry many listings and articles of its watchlist. */
const MAX_IDENTITY_BYTES = 1_048_576;
const MAX_LIST_BYTES = 8 * MAX_IDENTITY_BYTES;
const PAGE_LIMIT = 100;
/** Beyond these the search ends: a webhook, or the person, has to bring what is older. */
const MAX_PAGES = 50;
/** How far Passbase's clock may be from ours. */
const CLOCK_SLACK_S = 3_600;
/** The end of the year 9999: what is beyond counts other things than seconds. */
const LATEST_S = 253_402_300_799;

/** Statuses that end an identity's run; all others, new ones among them, leave it open. */
const CONCLUSIVE: { [status: string]: Report['decision'] } = {
  approved: { to: 'verified' },
  declined: { to: 'failed', reason: 'declined' },
};

type Found = { sessionId: string; report: Report };

/** What an identity says now; undefined if Passbase does not know it, or the person has not handed it in. */
export async function fetchReport(id: string, settings: Settings, http: Http): Promise<Report | undefined> {
  if (uuidOf(id) === undefined) return undefined;
  const identity = await get(`/identities/${id}`, MAX_IDENTITY_BYTES, settings, http);
  if (!identity) return undefined;
  if (uuidOf(identity.id) !== uuidOf(id))
    throw new AppError('unavailable', 'Passbase answered about another identity');
  return isHandedIn(identity) ? reportOf(identity) : undefined;
}

/** Looks through all identities for those that name one of these challenges; the one created first comes first. */
export async function findIdentities(
  challengeIds: ReadonlySet<string>,
  since: Date,
  settings: Settings,
  http: Http,
): Promise<Found[]> {
  const found: Json[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { identities, next } = await list(cursor, settings, http);
    found.push(...identities.filter((one) => challengeIds.has(challengeIdOf(one) ?? '')));
    if (next === undefined || next === cursor || isPast(identities, since)) break;
    cursor = next;
  }
  return found
    .filter(isHandedIn)
    .sort((a, b) => createdOf(a) - createdOf(b))
    .flatMap((identity) => {
      const sessionId = uuidOf(identity.id);
      return sessionId === undefined ? [] : [{ sessionId, report: reportOf(identity) }];
    });
}

/** A UUID in the one form in which it is kept here; undefined for anything else. */
export function uuidOf(value: unknown): string | undefined {
  return typeof value === 'string' && isUuid(value) ? value.toLowerCase() : undefined;
}

/** Opening a link is enough to create an identity; one left at that must not take the place of the one handed in. */
function isHandedIn({ status }: Json): boolean {
  return status !== 'created';
}

/** Takes over status, time and challenge; of all that Passbase found only whether the watchlist is clean. */
function reportOf(identity: Json): Report {
  const word = wordOf(identity.status) ?? UNREADABLE;
  const at = fromUnix(identity.updated);
  const clean = asObject(identity.watchlist)?.clean;
  return {
    // A hit on the watchlist puts an identity back to pending, so what is approved is approved with it.
    decision: Object.hasOwn(CONCLUSIVE, word) ? CONCLUSIVE[word] : undefined,
    word,
    reasonCode: null,
    decidedAt: sortableTime(at),
    challengeId: challengeIdOf(identity),
    runId: uuidOf(metadataOf(identity)?.run_id) ?? null,
    ...(typeof clean === 'boolean' ? { signals: [{ kind: 'watchlist', at, facts: { clean } }] } : {}),
  };
}

/** What is no id of ours names no challenge. */
function challengeIdOf(identity: Json): string | null {
  return uuidOf(metadataOf(identity)?.challenge_id) ?? null;
}

/** Passbase shows what it decrypted, as the object it is or as its text. */
function metadataOf({ metadata }: Json): Json | undefined {
  return typeof metadata === 'string' ? parseObject(metadata) : asObject(metadata);
}

/** Unix seconds as a time; null for anything else. */
function fromUnix(value: unknown): string | null {
  const isTime = Number.isSafeInteger(value) && Number(value) > 0 && Number(value) <= LATEST_S;
  return isTime ? new Date(Number(value) * 1_000).toISOString() : null;
}

function createdOf({ created }: Json): number {
  return typeof created === 'number' ? created : Number.MAX_SAFE_INTEGER;
}

/** The list's order is not documented. Where a page shows the newest first, what follows on one from before is older yet. */
function isPast(page: Json[], since: Date): boolean {
  const times = page.map(createdOf);
  const isNewestFirst = times.every((time, at) => at === 0 || time <= (times[at - 1] ?? time));
  const last = times.at(-1) ?? Number.MAX_SAFE_INTEGER;
  return isNewestFirst && last < (times[0] ?? 0) && last < since.getTime() / 1_000 - CLOCK_SLACK_S;
}

async function list(cursor: string | undefined, settings: Settings, http: Http) {
  const query = `?limit=${PAGE_LIMIT}${cursor === undefined ? '' : `&cursor=${cursor}`}`;
  const answer = await get(`/identities${query}`, MAX_LIST_BYTES, settings, http);
  if (!Array.isArray(answer?.data)) throw new AppError('unavailable', 'Passbase answered without identities');
  return { identities: objectsOf(answer.data), next: cursorOf(asObject(answer.cursor)?.next) };
}

/** A cursor as it goes into a query. Passbase's own example is percent-encoded already, and base64 holds no `%`. */
function cursorOf(next: unknown): string | undefined {
  if (typeof next !== 'string' || next === '') return undefined;
  return /^(?:[\w.~-]|%[0-9a-f]{2})+$/i.test(next) ? next : encodeURIComponent(next);
}

/** The answer's JSON object; undefined for a 404. */
async function get(
  path: string,
  maxBytes: number,
  { base_url, api_key = '' }: Settings,
  http: Http,
): Promise<Json | undefined> {
  const answer = await ask('Passbase', http, {
    method: 'GET',
    url: below(base_url, path),
    headers: { accept: 'application/json', 'x-api-key': api_key },
    maxBytes,
    expected: [404],
  });
  if (answer.status === 404) return undefined;
  const json = jsonOf(answer);
  if (!json) throw new AppError('unavailable', 'Passbase answered with something else than JSON');
  return json;
}
