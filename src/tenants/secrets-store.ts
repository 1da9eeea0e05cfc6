import type { Db } from '../db/database.ts';

/** Up to `limit` of all integrations' callback secrets valid at `now`, newest first. */
export function listCallbackSecrets(db: Db, now: Date, limit: number) {
  return db
    .selectFrom('callback_secrets')
    .select(['id', 'sealed'])
    .where((eb) => eb.or([eb('valid_until', 'is', null), eb('valid_until', '>', now)]))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}
