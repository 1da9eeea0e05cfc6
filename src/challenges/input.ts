import { invalid } from '../kernel/errors.ts';
import { MAX_EXPIRY_MINUTES, MIN_EXPIRY_MINUTES } from './challenge.ts';
import { readText } from './text.ts';

/** What a caller asks for, checked. */
export type CreateChallenge = {
  target_user_id: string | null;
  target_user_email: string | null;
  context: string | null;
  /** the number of the ticket it is about */
  ticket: string | null;
  callback_url: string | null;
  requester_id: string;
  metadata: { [key: string]: string };
  provider: string | null;
  return_url: string | null;
  expiryMinutes: number | undefined;
  /** who asks, and in which workspace; undefined: not in Slack */
  slack?: SlackWish;
};
/** Who asks in Slack, by id, by e-mail address, or (neither) the app itself; null workspace: the tenant's first. */
export type SlackWish = {
  instance_id: string | null;
  requester_user_id: string | null;
  requester_email: string | null;
};

const MAX_ID = 255;
const MAX_EMAIL = 254;
const MAX_CONTEXT = 2_000;
const MAX_TICKET = 100;
const MAX_URL = 2_048;
const MAX_METADATA_KEYS = 20;
const MAX_METADATA_KEY = 40;
const MAX_METADATA_VALUE = 500;
export const MAX_INCIDENT_COMMENT = 500;
export const MAX_TARGET_RESPONSE = 500;
/** An id of a person in Slack. */
export const SLACK_USER = /^[UW][A-Z0-9]{1,30}$/;
const MAX_IDEMPOTENCY_KEY = 255;
export const DEFAULT_REQUESTER = 'webhook';

const CREATE_FIELDS = [
  ...['target_user_id', 'target_user_email', 'context', 'callback_url', 'requester_id'],
  ...['expiry_minutes', 'integration_type', 'metadata', 'provider', 'return_url', 'ticket'],
];
const SLACK_FIELDS = ['slack_instance_id', 'slack_user_id', 'requester_email'];

/** An unknown body to what it asks for, or a 400 that names the field; unknown fields become warnings. */
export function parseCreateChallenge(body: unknown): { input: CreateChallenge; warnings: string[] } {
  if (!isObject(body)) throw invalid('the request body must be a JSON object');
  const isSlack = readIntegrationType(body.integration_type) === 'slack';
  const input: CreateChallenge = {
    target_user_id: readText(body.target_user_id, 'target_user_id', { max: MAX_ID }) ?? null,
    target_user_email: readEmail(body.target_user_email, 'target_user_email') ?? null,
    context: readText(body.context, 'context', { max: MAX_CONTEXT, multiline: true }) ?? null,
    ticket: readText(body.ticket, 'ticket', { max: MAX_TICKET }) ?? null,
    callback_url: readText(body.callback_url, 'callback_url', { max: MAX_URL }) ?? null,
    requester_id: readText(body.requester_id, 'requester_id', { max: MAX_ID }) ?? DEFAULT_REQUESTER,
    metadata: readMetadata(body.metadata),
    provider: readText(body.provider, 'provider', { max: MAX_ID }) ?? null,
    return_url: readText(body.return_url, 'return_url', { max: MAX_URL }) ?? null,
    expiryMinutes: readExpiryMinutes(body.expiry_minutes),
    ...(isSlack ? { slack: readSlackWish(body) } : {}),
  };
  if (!input.target_user_id && !input.target_user_email) {
    throw invalid('target_user_id or target_user_email is required', 'target_user_id');
  }
  if (isSlack) checkSlackUser(input.target_user_id, 'target_user_id');
  const misplaced = isSlack ? [] : SLACK_FIELDS.filter((name) => (body[name] ?? null) !== null);
  return {
    input,
    warnings: [
      ...misplaced.map((name) => `${name} was ignored; it is for integration_type "slack"`),
      ...unknownFields(body, [...CREATE_FIELDS, ...SLACK_FIELDS]),
    ],
  };
}

/** The Idempotency-Key header, if one was sent: 1 to 255 printable ASCII characters. */
export function parseIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (!/^[\x21-\x7e]+$/.test(header) || header.length > MAX_IDEMPOTENCY_KEY) {
    throw invalid('Idempotency-Key must be 1 to 255 printable characters without spaces', 'Idempotency-Key');
  }
  return header;
}

/** What a program lets the person say about an incident: one line, or null; a 400 if it is no plain text. */
export function parseIncidentComment(value: unknown): string | null {
  return readText(value, 'comment', { max: MAX_INCIDENT_COMMENT }) ?? null;
}

/** What a program lets the person add for whoever asks; null for nothing; a 400 if it is no plain text. */
export function parseTargetResponse(value: unknown, field: string): string | null {
  return readText(value, field, { max: MAX_TARGET_RESPONSE, multiline: true }) ?? null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readIntegrationType(value: unknown): 'webhook' | 'slack' {
  if (value === undefined || value === null || value === 'webhook') return 'webhook';
  if (value === 'slack') return 'slack';
  throw invalid('integration_type must be "webhook" or "slack"', 'integration_type');
}

function readEmail(value: unknown, field: string): string | undefined {
  const email = readText(value, field, { max: MAX_EMAIL });
  if (email && !/^[^\s@]+@[^\s@]+$/.test(email)) throw invalid(`${field} must be an e-mail address`, field);
  return email;
}

function readSlackWish(body: Record<string, unknown>): SlackWish {
  // A variable that was never set must not make the app itself ask, or the first workspace the one that is meant.
  for (const field of SLACK_FIELDS)
    if (isBlank(body[field])) throw invalid(`${field} must not be empty; leave it out instead`, field);
  const instance_id = readText(body.slack_instance_id, 'slack_instance_id', { max: MAX_ID }) ?? null;
  const requester_user_id = readText(body.slack_user_id, 'slack_user_id', { max: MAX_ID }) ?? null;
  checkSlackUser(requester_user_id, 'slack_user_id');
  const requester_email = readEmail(body.requester_email, 'requester_email') ?? null;
  return { instance_id, requester_user_id, requester_email };
}

function isBlank(value: unknown): boolean {
  return typeof value === 'string' && value.trim() === '';
}

function checkSlackUser(id: string | null, field: string): void {
  if (id !== null && !SLACK_USER.test(id))
    throw invalid(`${field} must be the id of a Slack user, such as U01234ABCD`, field);
}

function readExpiryMinutes(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (
    !Number.isInteger(value) ||
    (value as number) < MIN_EXPIRY_MINUTES ||
    (value as number) > MAX_EXPIRY_MINUTES
  ) {
    throw invalid(
      `expiry_minutes must be a whole number from ${MIN_EXPIRY_MINUTES} to ${MAX_EXPIRY_MINUTES}`,
      'expiry_minutes',
    );
  }
  return value as number;
}

function readMetadata(value: unknown): { [key: string]: string } {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw invalid('metadata must be an object of strings', 'metadata');
  const entries = Object.entries(value);
  if (entries.length > MAX_METADATA_KEYS)
    throw invalid(`metadata must have at most ${MAX_METADATA_KEYS} keys`, 'metadata');
  return Object.fromEntries(
    entries.map(([key, text]) => {
      if (!/^[\w.-]+$/.test(key) || key.length > MAX_METADATA_KEY) {
        const rule = `metadata keys must be 1 to ${MAX_METADATA_KEY} letters, digits, dots, dashes or underscores`;
        throw invalid(rule, 'metadata');
      }
      const field = `metadata.${key}`;
      if (typeof text !== 'string') throw invalid(`${field} must be a string`, field);
      readText(text, field, { max: MAX_METADATA_VALUE, multiline: true });
      // Echoed as it came: unlike our own fields, it is not ours to trim.
      return [key, text];
    }),
  );
}

function unknownFields(body: Record<string, unknown>, known: readonly string[]): string[] {
  return Object.keys(body)
    .filter((name) => !known.includes(name))
    .slice(0, 10)
    .map((name) => `unknown field ${JSON.stringify(name.slice(0, 40))} was ignored`);
}
