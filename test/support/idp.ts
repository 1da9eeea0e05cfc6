import { saveIdp, sealContext } from '../../src/signin/store.ts';
import type { Kind } from '../../src/signin/store.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import type { TestServer } from './server.ts';

/** An IdP of the first tenant (or another), saved as `idp set` would, without its checks; returns its id. */
export async function setIdp(
  { db, sealer }: Pick<TestServer, 'db' | 'sealer'>,
  kind: Kind,
  settings: Record<string, string>,
  wish: { mode?: 'test' | 'live'; name?: string; tenant_id?: string } = {},
): Promise<string> {
  const { mode = 'test', name = 'Acme', tenant_id = (await findFirstTenant(db))?.id ?? '' } = wish;
  const seal = (id: string) => sealer.seal(JSON.stringify(settings), sealContext.settings(id));
  return saveIdp(db, { tenant_id, mode, kind }, name, seal);
}
