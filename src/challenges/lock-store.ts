import type { Db } from '../db/database.ts';
import type { Challenge } from './challenge.ts';

/** The challenge, held until the transaction ends: nobody else changes it, or what belongs to it, meanwhile. */
export function lockChallenge(tx: Db, id: string): Promise<Challenge | undefined> {
  return tx.selectFrom('challenges').selectAll().where('id', '=', id).forNoKeyUpdate().executeTakeFirst();
}
