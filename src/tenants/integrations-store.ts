import type { Selectable, Updateable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Integrations } from '../generated/database.ts';

/** The integration, held until the transaction ends: one change to it, its headers or its secrets at a time. */
export function lockIntegration(tx: Db, id: string): Promise<Selectable<Integrations>> {
  return (
    tx
      .selectFrom('integrations')
      .selectAll()
      .where('id', '=', id)
      // Not `for update`: that would keep challenges from being made, whose rows refer to this one.
      .forNoKeyUpdate()
      .executeTakeFirstOrThrow()
  );
}

/** Changes how an integration's callbacks are sent. */
export async function updateIntegration(
  db: Db,
  id: string,
  change: Pick<
    Updateable<Integrations>,
    'callback_url' | 'events' | 'retry_waits_s' | 'in_flight_cap' | 'headers_sealed' | 'tls_sealed'
  >,
): Promise<void> {
  await db.updateTable('integrations').set(change).where('id', '=', id).execute();
}

/** Up to `limit` of all tenants' integrations that have headers or TLS of their own, newest first. */
export function listSealedSending(db: Db, limit: number) {
  return db
    .selectFrom('integrations')
    .select(['id', 'headers_sealed', 'tls_sealed'])
    .where((eb) => eb.or([eb('headers_sealed', 'is not', null), eb('tls_sealed', 'is not', null)]))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}
