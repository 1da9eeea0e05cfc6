import type { Kysely } from 'kysely';
import type { DB } from '../generated/database.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { createIntegration } from './keys.ts';
import { findFirstTenant, insertTenant, lockFirstStart } from './store.ts';

/** On an empty database: a tenant and a test-mode integration, whose key is returned this once. Else undefined. */
export function prepareFirstStart(
  db: Kysely<DB>,
  sealer: Sealer,
): Promise<{ apiKey: string; secret: string } | undefined> {
  return db.transaction().execute(async (tx) => {
    await lockFirstStart(tx);
    if (await findFirstTenant(tx)) return undefined;
    const tenant_id = await insertTenant(tx, 'Default');
    return createIntegration(tx, sealer, {
      tenant_id,
      name: 'First steps',
      mode: 'test',
      callback_url: null,
    });
  });
}
