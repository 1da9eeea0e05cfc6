import { sql } from 'kysely';
import type { Expression } from 'kysely';
import type { Db } from '../db/database.ts';

/** What a tenant has set up for a mode, accounts at providers and sign-in services alike, oldest first: an array in SQL. */
export function providersOf(tenantId: Expression<string>, mode: Expression<string>) {
  return sql<string[]>`array(
    select name from (
      select provider as name, created_at, id from provider_accounts accounts
      where accounts.tenant_id = ${tenantId} and accounts.mode = ${mode}
      union all
      select kind, created_at, id from identity_providers idps
      where idps.tenant_id = ${tenantId} and idps.mode = ${mode}
    ) set_up
    order by created_at, id)`;
}

/** The names that challenges of this tenant and mode may ask for, the one that was set up first at the head. */
export async function listProviders(db: Db, tenantId: string, mode: 'test' | 'live'): Promise<string[]> {
  const { providers } = await db
    .selectNoFrom(() => providersOf(sql`${tenantId}::uuid`, sql`${mode}::text`).as('providers'))
    .executeTakeFirstOrThrow();
  return providers;
}
