import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { ProviderAccounts } from '../generated/database.ts';
import { newId } from '../kernel/id.ts';

export type Account = Selectable<ProviderAccounts>;
/** Which account is meant: a tenant has at most one at each provider in each mode. */
export type Place = { tenant_id: string; provider: string; mode: 'test' | 'live' };

/** Where sealed values belong, so that one copied to another row does not open. */
export const sealContext = {
  settings: (accountId: string) => `provider_accounts:${accountId}`,
  url: (sessionId: string) => `verification_sessions:${sessionId}`,
  token: (sessionId: string) => `verification_sessions:${sessionId}:token`,
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

/** The tenant's accounts, of one mode or of both, oldest first. */
export function listAccountsOf(db: Db, tenantId: string, mode?: 'test' | 'live'): Promise<Account[]> {
  return db
    .selectFrom('provider_accounts')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .$if(mode !== undefined, (q) => q.where('mode', '=', mode!))
    .orderBy('created_at')
    .orderBy('id')
    .execute();
}

/** The tenant's account at a provider in one mode. */
export function findAccountOf(db: Db, { tenant_id, provider, mode }: Place): Promise<Account | undefined> {
  return db
    .selectFrom('provider_accounts')
    .selectAll()
    .where('tenant_id', '=', tenant_id)
    .where('mode', '=', mode)
    .where('provider', '=', provider)
    .executeTakeFirst();
}

/**
 * Adds the tenant's account at a provider, or replaces its settings; `seal` gets the account's id. Until
 * `previousUntil` webhooks may go on coming in under the settings replaced; 'kept' leaves that as it is. Returns the
 * account's id.
 */
export async function saveAccount(
  db: Db,
  place: Place,
  seal: (accountId: string) => string,
  {
    allowed_ips,
    previousUntil,
  }: { allowed_ips?: string[] | undefined; previousUntil?: Date | 'kept' | undefined } = {},
): Promise<string> {
  const existing = await findAccountOf(db, place);
  const id = existing?.id ?? newId();
  const settings_sealed = seal(id);
  const lists = allowed_ips === undefined ? {} : { allowed_ips };
  await db
    .insertInto('provider_accounts')
    .values({ id, ...place, settings_sealed, ...lists })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet((eb) => ({
        settings_sealed,
        ...(previousUntil === 'kept'
          ? {}
          : {
              previous_sealed: previousUntil ? eb.ref('provider_accounts.settings_sealed') : null,
              previous_until: previousUntil ?? null,
            }),
        updated_at: sql`now()`,
        ...lists,
      })),
    )
    .execute();
  return id;
}
