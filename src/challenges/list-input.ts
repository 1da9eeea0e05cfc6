import { invalid } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import { parseTime } from '../kernel/time.ts';
import { STATUSES } from './challenge.ts';
import type { Status } from './challenge.ts';
import { readText } from './text.ts';

/** Which challenges a caller wants to see, newest first. */
export type ListQuery = {
  status: Status | undefined;
  target: string | undefined;
  requester: string | undefined;
  createdAfter: Date | undefined;
  createdBefore: Date | undefined;
  limit: number;
  /** the id of the last challenge of the page before */
  after: string | undefined;
};

const MAX_ID = 255;
const MAX_LIST = 100;
const DEFAULT_LIST = 20;
const LIST_FIELDS = ['status', 'target', 'requester', 'created_after', 'created_before', 'limit', 'cursor'];

/** A query string to what it asks for, or a 400 that names the parameter. */
export function parseListQuery(query: Record<string, unknown>): ListQuery {
  const unknown = Object.keys(query).find((name) => !LIST_FIELDS.includes(name));
  // A mistyped filter would silently list everything.
  if (unknown !== undefined)
    throw invalid(`unknown parameter; use ${LIST_FIELDS.join(', ')}`, unknown.slice(0, 40));
  const blank = Object.keys(query).find((name) => query[name] === '');
  // So would a filter whose variable was never set.
  if (blank !== undefined) throw invalid(`${blank} must not be empty; leave it out instead`, blank);
  const status = readText(query.status, 'status', { max: 20 });
  if (status && !STATUSES.includes(status as Status))
    throw invalid(`status must be one of ${STATUSES.join(', ')}`, 'status');
  return {
    status: status as Status | undefined,
    target: readText(query.target, 'target', { max: MAX_ID }),
    requester: readText(query.requester, 'requester', { max: MAX_ID }),
    createdAfter: readTime(query.created_after, 'created_after'),
    createdBefore: readTime(query.created_before, 'created_before'),
    limit: readLimit(query.limit),
    after: readCursor(query.cursor),
  };
}

/** The cursor of the page that follows the challenge with this id. */
export function cursorOf(id: string): string {
  return Buffer.from(id).toString('base64url');
}

function readTime(value: unknown, field: string): Date | undefined {
  const text = readText(value, field, { max: 40 });
  if (text === undefined) return undefined;
  const time = parseTime(text);
  if (!time) throw invalid(`${field} must be a time such as 2026-01-31T12:00:00Z`, field);
  return time;
}

function readLimit(value: unknown): number {
  const text = readText(value, 'limit', { max: 10 });
  if (text === undefined) return DEFAULT_LIST;
  const limit = /^\d+$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_LIST)
    throw invalid(`limit must be a whole number from 1 to ${MAX_LIST}`, 'limit');
  return limit;
}

function readCursor(value: unknown): string | undefined {
  const text = readText(value, 'cursor', { max: 100 });
  if (text === undefined) return undefined;
  const id = Buffer.from(text, 'base64url').toString();
  if (!isUuid(id)) throw invalid('cursor must be the next_cursor of an earlier page', 'cursor');
  return id;
}
