import type { Db } from '../db/database.ts';
import { presentAccount, presentInbound } from '../providers/log.ts';
import { findNewest } from '../providers/log-store.ts';
import { listAccountsOf } from '../providers/store.ts';
import type { Account } from '../providers/store.ts';
import { withTenant } from './command.ts';
import type { Command } from './command.ts';
import { printable } from './desk.ts';
import { defaultProvider } from './provider-text.ts';

type Line = ReturnType<typeof presentInbound>;
type Shown = ReturnType<typeof presentAccount> & { last_webhook: Line | null; last_refused: Line | null };

/** `provider list`: every account of both modes, and whether its webhooks come in. */
export const providerList: Command = {
  name: 'provider list',
  summary: 'Show the providers that are set up, and when each was last heard of',
  options: {},
  run: (config) =>
    withTenant(config, async ({ db }, tenant_id) => {
      const chosen = {
        test: await defaultProvider(db, { tenant_id, mode: 'test' }),
        live: await defaultProvider(db, { tenant_id, mode: 'live' }),
      };
      const accounts: Shown[] = [];
      for (const account of await listAccountsOf(db, tenant_id))
        accounts.push(await withNewest(db, account, config.publicUrl, chosen[account.mode]));
      const none = 'No provider is set up; see `countersign provider set --help`.';
      return { json: { accounts }, text: accounts.length > 0 ? accounts.map(shown).join('\n\n') : none };
    }),
};

async function withNewest(
  db: Db,
  account: Account,
  publicUrl: string,
  chosen: string | null,
): Promise<Shown> {
  const { received, refused } = await findNewest(db, account.id);
  return {
    ...presentAccount(account, { publicUrl, chosen, now: new Date() }),
    last_webhook: received ? presentInbound(received) : null,
    last_refused: refused ? presentInbound(refused) : null,
  };
}

function shown({ last_webhook, last_refused, ...account }: Shown): string {
  const { allowed_ips, previous_until } = account;
  const networks = allowed_ips.length > 0 ? allowed_ips.join(', ') : 'any';
  return [
    `${account.provider}, ${account.mode} mode${account.is_default ? ' (default)' : ''}`,
    `  account            ${account.account_id}`,
    `  webhook URL        ${account.webhook_url}`,
    `  allowed networks   ${networks}`,
    ...(previous_until ? [`  settings before    webhooks under them are taken until ${previous_until}`] : []),
    `  last webhook       ${last_webhook ? lineText(last_webhook) : 'none yet'}`,
    ...(last_refused ? [`  last refused       ${lineText(last_refused)}`] : []),
  ].join('\n');
}

function lineText({ last_received_at, kind, outcome, reason, copies, address }: Line): string {
  const what = reason ?? `${kind}, ${outcome}`;
  const times = copies > 1 ? `, ${copies} times` : '';
  return `${last_received_at}  ${what}${times}${address === null ? '' : `, from ${printable(address)}`}`;
}
