import type { Db } from '../db/database.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { AppError } from '../kernel/errors.ts';
import { findProvider } from './index.ts';
import type { Provider, Settings } from './provider.ts';
import { findAccount, findAccountById, sealContext } from './store.ts';
import type { Account } from './store.ts';

/** How long an account is used without asking again: what an operator changes counts within this time. */
const REMEMBERED_MS = 1_000;
/** Enough for every account in use; when it is full, it starts over. */
const MAX_REMEMBERED = 1_000;

/** An account with its provider and its settings in the clear. */
export type OpenAccount = { account: Account; provider: Provider; settings: Settings };

/** Opens an account: finds its provider and unseals its settings. */
export function openAccount(sealer: Sealer, account: Account): OpenAccount {
  const provider = findProvider(account.provider);
  if (!provider) throw new Error(`there is no provider ${account.provider}`);
  return { account, provider, settings: settingsOf(sealer, account.id, account.settings_sealed) };
}

/** The settings that webhooks may be authentic under: the present ones, and for a while those before them. */
export function acceptedSettings(sealer: Sealer, { account, settings }: OpenAccount, now: Date): Settings[] {
  const { id, previous_sealed, previous_until } = account;
  const overlaps = previous_sealed !== null && previous_until !== null && previous_until > now;
  return overlaps ? [settings, settingsOf(sealer, id, previous_sealed)] : [settings];
}

/** The account with this id, opened. */
export async function getAccountById(
  { db, sealer }: { db: Db; sealer: Sealer },
  id: string,
): Promise<OpenAccount> {
  return openAccount(sealer, await findAccountById(db, id));
}

/** The account that a webhook path names, opened, or a 404. */
export async function getAccountAt(
  { db, sealer }: { db: Db; sealer: Sealer },
  provider: string,
  id: string,
): Promise<OpenAccount> {
  const account = findProvider(provider) ? await findAccount(db, provider, id) : undefined;
  if (!account) throw new AppError('not_found', 'No such webhook address');
  return openAccount(sealer, account);
}

/** The same, remembered for a moment: a webhook costs neither a query nor the opening of the seal. */
export function rememberAccounts(deps: {
  db: Db;
  sealer: Sealer;
}): (provider: string, id: string) => Promise<OpenAccount> {
  const entries = new Map<string, { until: number; opened: Promise<OpenAccount> }>();
  return (provider, id) => {
    const key = `${provider} ${id}`;
    const known = entries.get(key);
    if (known && known.until > performance.now()) return known.opened;
    if (entries.size >= MAX_REMEMBERED) entries.clear();
    const opened = getAccountAt(deps, provider, id);
    // Its age counts from before its query was sent, and calls that come meanwhile share the answer.
    entries.set(key, { until: performance.now() + REMEMBERED_MS, opened });
    // Neither a failure nor an unknown account is remembered.
    opened.catch(() => entries.delete(key));
    return opened;
  };
}

function settingsOf(sealer: Sealer, accountId: string, sealed: string): Settings {
  return JSON.parse(sealer.unseal(sealed, sealContext.settings(accountId))) as Settings;
}
