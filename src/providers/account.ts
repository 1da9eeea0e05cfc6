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
  const settings = JSON.parse(
    sealer.unseal(account.settings_sealed, sealContext.settings(account.id)),
  ) as Settings;
  return { account, provider, settings };
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
