import type { Db } from '../db/database.ts';
import type { Mode } from './store.ts';

/** What a tenant decided for a mode; the defaults where it decided nothing. */
export type TenantMode = {
  default_provider: string | null;
  provider_attempts: number;
  allowed_domains: string[];
};

/** The tenant's decisions for a mode. */
export async function findTenantMode(db: Db, tenantId: string, mode: Mode): Promise<TenantMode> {
  const row = await db
    .selectFrom('tenant_modes')
    .select(['default_provider', 'provider_attempts', 'allowed_domains'])
    .where('tenant_id', '=', tenantId)
    .where('mode', '=', mode)
    .executeTakeFirst();
  return row ?? { default_provider: null, provider_attempts: 1, allowed_domains: [] };
}

/** Changes the tenant's decisions for a mode. */
export async function saveTenantMode(
  db: Db,
  tenantId: string,
  mode: Mode,
  change: Partial<TenantMode>,
): Promise<void> {
  await db
    .insertInto('tenant_modes')
    .values({ tenant_id: tenantId, mode, ...change })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'mode']).doUpdateSet(change))
    .execute();
}
