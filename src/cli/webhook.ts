import { recordAudit } from '../challenges/store.ts';
import type { Store } from '../db/open.ts';
import { cursorOf } from '../deliveries/input.ts';
import { AppError } from '../kernel/errors.ts';
import { findInbound, listInbound } from '../providers/log-store.ts';
import type { LogFilter, PlacedRow } from '../providers/log-store.ts';
import { LOG_OUTCOMES, parseLogQuery, presentInbound, presentPlaced } from '../providers/log.ts';
import { providers } from '../providers/index.ts';
import { findAccountOf, sealContext } from '../providers/store.ts';
import { getTenantChallenge } from './challenge.ts';
import { MODE_OPTION, UsageError, modeOf, textOf, withTenant } from './command.ts';
import type { Command, Values } from './command.ts';
import { ACTOR, ID_OPTION, idOf } from './desk.ts';
import { bodyText, inboundShown, inboundTable } from './webhook-text.ts';

const LIST = 'webhook list';
/** What the REST API calls the options. */
const FIELDS: { [option: string]: string } = {
  ...{ outcome: 'outcome', challenge: 'challenge_id', limit: 'limit', cursor: 'cursor' },
};

const list: Command = {
  name: LIST,
  summary: 'Show what came in from a provider and what became of it, newest first',
  options: {
    provider: {
      type: 'string',
      value: 'NAME',
      help: `Of this provider: ${Object.keys(providers).join(', ')}; may be left out with --challenge`,
    },
    mode: { ...MODE_OPTION, help: 'Mode of --provider (default: test)' },
    outcome: { type: 'string', value: 'OUTCOME', help: `Only these: ${LOG_OUTCOMES.join(', ')}` },
    challenge: { type: 'string', value: 'ID', help: 'Only about this challenge' },
    limit: { type: 'string', value: 'N', help: 'How many, 1 to 100 (default: 20)' },
    cursor: { type: 'string', value: 'CURSOR', help: 'The page that follows, as the page before says' },
  },
  run: (config, values) =>
    withTenant(config, async (store, tenantId) => {
      const { filter, limit, after } = parseLogQuery(fieldsOf(values), optionFor);
      const account = await accountIdOf(store, tenantId, values, filter);
      const wanted = { limit: limit + 1, after };
      const rows = account ? await listInbound(store.db, account, filter, wanted) : [];
      const page = rows.slice(0, limit).map(presentInbound);
      const last = rows.length > page.length ? page.at(-1) : undefined;
      const next_cursor = last ? cursorOf(last.webhook_id) : null;
      const more = next_cursor ? [`More: add --cursor ${next_cursor}`] : [];
      const text = page.length === 0 ? 'No webhooks.' : [inboundTable(page), ...more].join('\n');
      return { json: { data: page, next_cursor }, text };
    }),
};

const show: Command = {
  name: 'webhook show',
  summary: 'Show all that is known of one webhook that came in',
  options: {
    id: ID_OPTION,
    body: {
      type: 'boolean',
      default: false,
      help: 'Also its text, while that is kept: personal data, and the audit trail notes that it was shown',
    },
  },
  run: (config, values) =>
    withTenant(config, async (store, tenantId) => {
      const row = await findInbound(store.db, tenantId, idOf(values, LIST));
      if (!row) throw new AppError('not_found', `There is no such webhook; see \`countersign ${LIST}\``);
      const detail = presentPlaced(row);
      if (values.body !== true) return { json: detail, text: inboundShown(detail) };
      const body = await openBody(store, row);
      const text = `${inboundShown(detail)}\n\n${bodyText(detail, body)}`;
      return { json: { ...detail, body }, text, failed: body === null };
    }),
};

/** What comes in from providers. */
export const webhookCommands: Command[] = [list, show];

/** The account whose log it is: the one named, else the challenge's; undefined where that has none. */
async function accountIdOf(
  { db }: Store,
  tenant_id: string,
  values: Values,
  { challenge_id }: LogFilter,
): Promise<string | undefined> {
  const named = { provider: textOf(values, 'provider'), mode: modeOf(values) };
  if (named.provider === undefined && challenge_id === undefined)
    throw new UsageError(`--provider or --challenge missing; see \`countersign ${LIST} --help\``);
  const { provider, mode } =
    named.provider === undefined ? await getTenantChallenge(db, tenant_id, challenge_id ?? '') : named;
  const account = await findAccountOf(db, { tenant_id, provider: provider ?? '', mode });
  if (account || named.provider === undefined) return account?.id;
  throw new UsageError(`${provider} is not set up for ${mode} mode; see \`countersign provider list\``);
}

/** The text of a webhook, null if it is not kept; whoever sees it is in the audit trail. */
async function openBody({ db, sealer }: Store, row: PlacedRow): Promise<string | null> {
  const { id, body_sealed, tenant_id, challenge_id, provider_account_id } = row;
  if (body_sealed === null) return null;
  const text = sealer.unseal(body_sealed, sealContext.body(id));
  const detail = { webhook_id: id, account_id: provider_account_id };
  const at = new Date();
  await recordAudit(db, { tenant_id, challenge_id, at, actor: ACTOR, action: 'webhook_body_shown', detail });
  return text;
}

function fieldsOf(values: Values): { [field: string]: string } {
  const given = Object.entries(FIELDS).flatMap(([option, field]) => {
    const value = textOf(values, option);
    return value === undefined ? [] : [[field, value] as const];
  });
  return Object.fromEntries(given);
}

/** An error names the option, not the field that it stands for. */
function optionFor(field: string): string {
  const option = Object.keys(FIELDS).find((name) => FIELDS[name] === field);
  return `--${option ?? field}`;
}
