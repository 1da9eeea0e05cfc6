import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { ProviderAccounts } from '../generated/database.ts';
import { newId } from '../kernel/id.ts';

export type Account = Selectable<ProviderAccounts>;

/** Where sealed values belong, so that one copied to another row does not open. */
export const sealContext = {
  settings: (accountId: string) => `provider_accounts:${accountId}`,
  url: (sessionId: string) => `verification_sessions:${sessionId}`,
  body: (inboxId: string) => `inbox:${inboxId}`,
};

/** The account with this id at this provider. */
export function findAccount(db: Db, provider: string, id: string): Promise<Account | undefined> {
  return db
    .selectFrom('provider_accounts')
    .selectAll()
    .where('id', '=', id)
    .where('provider', '=', provider)
    .executeTakeFirst();
}

/** The account with this id; throws if there is none. */
export function findAccountById(db: Db, id: string): Promise<Account> {
  return db.selectFrom('provider_accounts').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

/** All accounts of all tenants. */
export function listAccounts(db: Db): Promise<Account[]> {
  return db.selectFrom('provider_accounts').selectAll().orderBy('id').execute();
}

/** The tenant's account at a provider in one mode. */
export function findAccountOf(
  db: Db,
  tenantId: string,
  mode: 'test' | 'live',
  provider: string,
): Promise<Account | undefined> {
  return db
    .selectFrom('provider_accounts')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('mode', '=', mode)
    .where('provider', '=', provider)
    .executeTakeFirst();
}

/** Adds the tenant's account at a provider, or replaces its settings; `seal` gets the account's id. Returns that id. */
export async function saveAccount(
  db: Db,
  account: { tenant_id: string; provider: string; mode: 'test' | 'live' },
  seal: (accountId: string) => string,
): Promise<string> {
  const existing = await findAccountOf(db, account.tenant_id, account.mode, account.provider);
  const id = existing?.id ?? newId();
  await db
    .insertInto('provider_accounts')
    .values({ id, ...account, settings_sealed: seal(id) })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({ settings_sealed: seal(id), updated_at: sql`now()` }),
    )
    .execute();
  return id;
}
