import type { Db } from '../db/database.ts';
import type { Challenge } from './challenge.ts';
import type { DeviceFacts } from './device.ts';

/** The challenge, locked: nobody ends, disputes or erases it until the transaction is over. */
export function lockChallenge(tx: Db, id: string): Promise<Challenge | undefined> {
  return tx.selectFrom('challenges').selectAll().where('id', '=', id).forNoKeyUpdate().executeTakeFirst();
}

/** Writes down what the browser told. */
export async function saveFacts(tx: Db, id: string, device_fingerprint: DeviceFacts): Promise<void> {
  await tx.updateTable('challenges').set({ device_fingerprint }).where('id', '=', id).execute();
}
