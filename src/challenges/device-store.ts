import type { Db } from '../db/database.ts';
import type { DeviceFacts } from './device.ts';

/** Writes down what the browser told. */
export async function saveFacts(tx: Db, id: string, device_fingerprint: DeviceFacts): Promise<void> {
  await tx.updateTable('challenges').set({ device_fingerprint }).where('id', '=', id).execute();
}
