import { invalid } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import { parseTime } from '../kernel/time.ts';
import type { Filter } from './desk-store.ts';
import { EVENT_TYPES, SLACK_EVENTS, TEST_EVENT } from './event-types.ts';
import type { DeadReason } from './schedule.ts';

/** Which deliveries somebody wants to see, newest first. */
export type ListQuery = {
  filter: Filter;
  limit: number;
  /** the id of the last one of the page before */
  after: string | undefined;
};
/** Which deliveries somebody wants to send again, and how fast. */
export type ReplayWish = { filter: Filter; dryRun: boolean; limit: number; ratePerSecond: number };
/** What the caller calls a field; the command line has options instead. */
export type Label = (field: string) => string;

const STATUSES = ['pending', 'delivered', 'dead', 'canceled'] as const;
/** What waits is sent anyway, and what was canceled has no body. */
const REPLAYABLE = ['dead', 'delivered'] as const;
const TRIGGERS = ['event', 'resend', 'test'] as const;
const DEAD_REASONS = [
  ...(['exhausted', 'gone', 'refused', 'rejected', 'not_sent'] as const),
  ...(['endpoint_disabled', 'body_deleted'] as const),
] satisfies DeadReason[];
const RESENT_TYPES = [...EVENT_TYPES, ...SLACK_EVENTS] as const;
const ALL_TYPES = [...RESENT_TYPES, TEST_EVENT] as const;

const MAX_LIST = 100;
const DEFAULT_LIST = 20;
/** In one call. */
export const MAX_REPLAY = 10_000;
const DEFAULT_REPLAY = 1_000;
const MAX_RATE = 100;
/** Deliveries sent again in a second, unless somebody says otherwise. */
export const DEFAULT_RATE = 10;
const MAX_URL = 2_048;
const SHOWN_NAME = 40;

const FILTERS = ['status', 'endpoint_id', 'integration_id', 'event_type', 'dead_reason', 'since', 'until'];
const LIST_FIELDS = [...FILTERS, 'challenge_id', 'trigger', 'limit', 'cursor'];
const asItIs: Label = (field) => field;

/** A query string to what it asks for, or a 400 that names the parameter. */
export function parseListQuery(query: Record<string, unknown>, label = asItIs): ListQuery {
  const known = checked(query, LIST_FIELDS, label);
  return {
    filter: {
      status: readOneOf(known.status, label('status'), STATUSES),
      ...readFilter(known, label, ALL_TYPES),
      challenge_id: readId(known.challenge_id, label('challenge_id')),
      trigger: readOneOf(known.trigger, label('trigger'), TRIGGERS),
    },
    ...readPage(known, label),
  };
}

/** A query string with nothing but a page, or a 400 that names the parameter. */
export function parsePageQuery(query: Record<string, unknown>): Omit<ListQuery, 'filter'> {
  return readPage(checked(query, ['limit', 'cursor'], asItIs), asItIs);
}

/** The body of a replay: nothing happens unless it says `dry_run: false`. A mistyped filter is refused, or it would replay all. */
export function parseReplay(body: unknown, label = asItIs): ReplayWish {
  const wish = checked(body, ['filter', 'dry_run', 'limit', 'rate_per_second'], label);
  const asked = checked(wish.filter ?? {}, FILTERS, label, 'filter');
  const status = readOneOf(asked.status ?? 'dead', label('status'), REPLAYABLE);
  return {
    filter: { status, ...readFilter(asked, label, RESENT_TYPES) },
    dryRun: readBoolean(wish.dry_run ?? true, label('dry_run')),
    limit: readWhole(wish.limit ?? DEFAULT_REPLAY, label('limit'), MAX_REPLAY),
    ratePerSecond: readWhole(wish.rate_per_second ?? DEFAULT_RATE, label('rate_per_second'), MAX_RATE),
  };
}

/** The body of a test: where to, if not to the integration's URL. */
export function parseTest(body: unknown): { callback_url: string | undefined } {
  const { callback_url } = checked(body, ['callback_url'], asItIs);
  if (callback_url === undefined || callback_url === null) return { callback_url: undefined };
  if (typeof callback_url !== 'string' || callback_url.length > MAX_URL || /[\p{C}\s]/u.test(callback_url))
    throw invalid(`callback_url must be a URL of at most ${MAX_URL} characters`, 'callback_url');
  return { callback_url };
}

/** The body of enabling an endpoint. */
export function parseEnable(body: unknown): { replay: boolean } {
  const { replay } = checked(body, ['replay'], asItIs);
  return { replay: readBoolean(replay ?? false, 'replay') };
}

/** The body of a request that takes no decision: an empty object, or a 400. */
export function parseNothing(body: unknown): void {
  checked(body, [], asItIs);
}

/** The cursor of the page that follows the row with this id. */
export function cursorOf(id: string): string {
  return Buffer.from(id).toString('base64url');
}

type Fields = Record<string, unknown>;

/** The value as an object with these fields and no others. */
function checked(value: unknown, known: readonly string[], label: Label, within?: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${within ?? 'the request body'} must be a JSON object`, within);
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown === undefined) return value as Fields;
  const place = within === undefined ? '' : `${within}.`;
  const use = known.length > 0 ? `use ${known.map(label).join(', ')}` : 'there is nothing to choose';
  throw invalid(`unknown field; ${use}`, place + unknown.slice(0, SHOWN_NAME));
}

function readFilter(fields: Fields, label: Label, types: readonly string[]) {
  const reason = readOneOf(fields.dead_reason, label('dead_reason'), DEAD_REASONS);
  return {
    endpoint_id: readId(fields.endpoint_id, label('endpoint_id')),
    integration_id: readId(fields.integration_id, label('integration_id')),
    event_type: readOneOf(fields.event_type, label('event_type'), types),
    dead_reasons: reason && [reason],
    since: readTime(fields.since, label('since')),
    until: readTime(fields.until, label('until')),
  };
}

function readPage(fields: Fields, label: Label): Omit<ListQuery, 'filter'> {
  const { limit, cursor } = fields;
  // A query string has digits where a body has numbers.
  const count = typeof limit === 'string' && /^\d{1,9}$/.test(limit) ? Number(limit) : limit;
  return {
    limit: readWhole(count ?? DEFAULT_LIST, label('limit'), MAX_LIST),
    after: readCursor(cursor, label('cursor')),
  };
}

function readOneOf<T extends string>(value: unknown, field: string, choices: readonly T[]): T | undefined {
  if (value === undefined || value === null) return undefined;
  const chosen = choices.find((choice) => choice === value);
  if (chosen === undefined) throw invalid(`${field} must be one of ${choices.join(', ')}`, field);
  return chosen;
}

function readId(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' || !isUuid(value)) throw invalid(`${field} must be an id (a UUID)`, field);
  return value;
}

function readTime(value: unknown, field: string): Date | undefined {
  if (value === undefined || value === null) return undefined;
  const time = typeof value === 'string' ? parseTime(value) : undefined;
  if (!time) throw invalid(`${field} must be a time such as 2026-01-31T12:00:00Z`, field);
  return time;
}

function readWhole(value: unknown, field: string, max: number): number {
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > max)
    throw invalid(`${field} must be a whole number from 1 to ${max}`, field);
  return value as number;
}

function readBoolean(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') throw invalid(`${field} must be true or false`, field);
  return value;
}

function readCursor(value: unknown, field: string): string | undefined {
  if (value === undefined) return undefined;
  const id = typeof value === 'string' ? Buffer.from(value, 'base64url').toString() : '';
  if (!isUuid(id)) throw invalid(`${field} must be the next_cursor of an earlier page`, field);
  return id;
}
