import type { Db } from '../db/database.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { AppError } from '../kernel/errors.ts';
import { findProvider } from './index.ts';
import type { Provider, Settings } from './provider.ts';
import { findAccount, findAccountById, sealContext } from './store.ts';
import type { Account } from './store.ts';

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

function settingsOf(sealer: Sealer, accountId: string, sealed: string): Settings {
  return JSON.parse(sealer.unseal(sealed, sealContext.settings(accountId))) as Settings;
}
