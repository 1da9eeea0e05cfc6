import { parseListQuery, parseReplay } from '../deliveries/input.ts';
import type { ListQuery, ReplayWish } from '../deliveries/input.ts';
import { parseDuration } from '../kernel/schedule.ts';
import { textOf } from './command.ts';
import type { Option, Values } from './command.ts';
import type { Desk } from './desk.ts';
import { integrationOf } from './rotation.ts';

/** What the REST API calls the options. */
const FIELDS: { [option: string]: string } = {
  ...{ status: 'status', endpoint: 'endpoint_id', challenge: 'challenge_id', event: 'event_type' },
  ...{ trigger: 'trigger', reason: 'dead_reason', limit: 'limit', rate: 'rate_per_second', cursor: 'cursor' },
  ...{ since: 'since', until: 'until', integration: 'integration_id' },
};

const text = (value: string, help: string): Option => ({ type: 'string', value, help });
const TIMES = {
  since: text('TIME', 'Made at this time or later: 2026-01-31T12:00:00Z, or 2h for two hours ago'),
  until: text('TIME', 'Made before this time'),
};
const COMMON = {
  endpoint: text('ID', 'Only to this endpoint'),
  integration: text('ID|NAME', 'Only of this integration'),
  reason: text('REASON', 'Only dead for this reason, such as exhausted or endpoint_disabled'),
  ...TIMES,
};

export const LIST_OPTIONS: { [name: string]: Option } = {
  status: text('STATUS', 'Only pending, delivered, dead or canceled'),
  ...COMMON,
  challenge: text('ID', 'Only about this challenge'),
  event: text('TYPE', 'Only of this type, such as challenge.completed'),
  trigger: text('TRIGGER', 'Only made by event, resend or test'),
  limit: text('N', 'How many, 1 to 100 (default: 20)'),
  cursor: text('CURSOR', 'The page that follows, as the page before says'),
};
export const REPLAY_OPTIONS: { [name: string]: Option } = {
  status: text('STATUS', 'dead or delivered (default: dead)'),
  ...COMMON,
  event: LIST_OPTIONS.event!,
  limit: text('N', 'At most so many, 1 to 10000 (default: 1000)'),
  rate: text('N', 'So many in a second, 1 to 100 (default: 10)'),
  yes: { type: 'boolean', default: false, help: 'Really send; without it, only count' },
};

/** What the options of `delivery list` ask for. */
export async function listQueryOf(desk: Desk, values: Values): Promise<ListQuery> {
  return parseListQuery(await fieldsOf(desk, values), optionFor);
}

/** What the options of `delivery replay` ask for. */
export async function replayWishOf(desk: Desk, values: Values): Promise<ReplayWish> {
  const { limit, rate_per_second, ...filter } = await fieldsOf(desk, values);
  const body = {
    filter,
    dry_run: values.yes !== true,
    limit: numberOr(limit),
    rate_per_second: numberOr(rate_per_second),
  };
  return parseReplay(body, optionFor);
}

async function fieldsOf({ store, tenantId }: Desk, values: Values): Promise<{ [field: string]: string }> {
  const given = Object.entries(FIELDS).flatMap(([option, field]) => {
    const value = textOf(values, option);
    return value === undefined ? [] : [[field, timeOf(option, value)] as const];
  });
  const fields = Object.fromEntries(given);
  if ('integration_id' in fields) fields.integration_id = (await integrationOf(store, tenantId, values)).id;
  return fields;
}

/** An error names the option, not the field that it stands for. */
function optionFor(field: string): string {
  const option = Object.keys(FIELDS).find((name) => FIELDS[name] === field);
  return `--${option ?? field}`;
}

function timeOf(option: string, value: string): string {
  if (!(option in TIMES) || !/^\d+[smhd]$/.test(value)) return value;
  return new Date(Date.now() - parseDuration(value)).toISOString();
}

function numberOr(value: string | undefined): number | string | undefined {
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : value;
}
