import { isoTime } from '../challenges/present.ts';
import { parsePageQuery } from '../deliveries/input.ts';
import type { ListQuery } from '../deliveries/input.ts';
import { invalid } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import type { LogFilter, LogRow, PlacedRow } from './log-store.ts';
import type { Account } from './store.ts';

/** Which lines of an account's log somebody wants to see, newest first. */
export type LogQuery = Omit<ListQuery, 'filter'> & { filter: LogFilter };

/** All that can be looked for: what can come of a webhook, `received` while nothing has, and `duplicate`. */
export const LOG_OUTCOMES = [
  ...(['received', 'applied', 'recorded', 'no_effect', 'stale', 'too_late', 'other_challenge'] as const),
  ...(['unknown_session', 'unconfirmed', 'refused', 'erased', 'duplicate'] as const),
] as const;

const FIELDS = ['outcome', 'challenge_id', 'limit', 'cursor'];
const SHOWN_NAME = 40;

/** A query string to what it asks for, or a 400 that names the parameter; the command line has options instead. */
export function parseLogQuery(
  query: Record<string, unknown>,
  label = (field: string): string => field,
): LogQuery {
  const unknown = Object.keys(query).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined)
    throw invalid(`unknown field; use ${FIELDS.map(label).join(', ')}`, unknown.slice(0, SHOWN_NAME));
  const { outcome, challenge_id, ...page } = query;
  if (outcome !== undefined && !LOG_OUTCOMES.some((one) => one === outcome))
    throw invalid(`${label('outcome')} must be one of ${LOG_OUTCOMES.join(', ')}`, label('outcome'));
  if (challenge_id !== undefined && !(typeof challenge_id === 'string' && isUuid(challenge_id)))
    throw invalid(`${label('challenge_id')} must be an id (a UUID)`, label('challenge_id'));
  return { filter: { outcome, challenge_id } as LogFilter, ...parsePageQuery(page) };
}

/** A line of the log as programs and operators see it: nothing of what the webhook said. */
export function presentInbound(row: LogRow) {
  return {
    webhook_id: row.id,
    kind: row.kind,
    outcome: row.outcome ?? 'received',
    reason: row.reason,
    received_at: isoTime(row.received_at),
    last_received_at: isoTime(row.last_received_at),
    copies: row.copies,
    address: row.address,
    challenge_id: row.challenge_id,
    session_id: row.provider_session_id,
    handled_at: isoTime(row.handled_at),
    body_kept: row.body_sealed !== null,
  };
}

/** All that is known of a webhook, and whose it is. */
export function presentPlaced(row: PlacedRow) {
  return {
    ...presentInbound(row),
    ...{ account_id: row.provider_account_id, provider: row.provider, mode: row.mode },
    attempt_id: row.provider_attempt_id,
    tries: row.tries,
    next_try_at: isoTime(row.next_try_at),
  };
}

/** An account without its secrets; `previous_until` is null unless settings before these are still taken. */
export function presentAccount(
  account: Account,
  { publicUrl, chosen, now }: { publicUrl: string; chosen: string | null; now: Date },
) {
  const { id, provider, mode, allowed_ips, previous_until, created_at, updated_at } = account;
  return {
    account_id: id,
    provider,
    mode,
    is_default: provider === chosen,
    webhook_url: webhookUrlOf(publicUrl, account),
    allowed_ips,
    previous_until: previous_until && previous_until > now ? isoTime(previous_until) : null,
    created_at: isoTime(created_at),
    updated_at: isoTime(updated_at),
  };
}

/** Where the account's webhooks come in. */
export function webhookUrlOf(publicUrl: string, { provider, id }: Pick<Account, 'provider' | 'id'>): string {
  return `${publicUrl}/webhooks/${provider}/${id}`;
}
