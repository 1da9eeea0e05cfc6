import { sql } from 'kysely';
import type { Db } from '../db/database.ts';

/** Up to `limit` of all integrations' callback secrets valid at `now`, newest first. */
export function listCallbackSecrets(db: Db, now: Date, limit: number) {
  return db
    .selectFrom('callback_secrets')
    .select(['id', 'sealed'])
    .where((eb) => eb.or([eb('valid_until', 'is', null), eb('valid_until', '>', now)]))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

/** Stores a sealed callback secret. */
export async function insertCallbackSecret(
  db: Db,
  integrationId: string,
  id: string,
  sealed: string,
): Promise<void> {
  // Not when the transaction began: of several at once, the one that got the integration's lock last is the newest.
  const created_at = sql<Date>`clock_timestamp()`;
  await db
    .insertInto('callback_secrets')
    .values({ id, integration_id: integrationId, sealed, created_at })
    .execute();
}

/** Lets one callback secret end at `at`. */
export async function endCallbackSecret(db: Db, id: string, at: Date): Promise<void> {
  await db.updateTable('callback_secrets').set({ valid_until: at }).where('id', '=', id).execute();
}

/** Lets the integration's callback secrets end at `until`, unless they end sooner; returns how many. */
export async function endCallbackSecrets(db: Db, integrationId: string, until: Date): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('callback_secrets')
    .set({ valid_until: until })
    .where('integration_id', '=', integrationId)
    .where((eb) => eb.or([eb('valid_until', 'is', null), eb('valid_until', '>', until)]))
    .executeTakeFirstOrThrow();
  return Number(numUpdatedRows);
}

/** The integration's callback secrets valid at `now`, newest first. */
export function findCallbackSecrets(db: Db, integrationId: string, now: Date) {
  return db
    .selectFrom('callback_secrets')
    .select(['id', 'sealed', 'created_at', 'valid_until'])
    .where('integration_id', '=', integrationId)
    .where((eb) => eb.or([eb('valid_until', 'is', null), eb('valid_until', '>', now)]))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
}
