import type { Db } from '../db/database.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { callbackSecretContext } from './keys.ts';
import { listCallbackSecrets } from './secrets-store.ts';

/** Unseals the newest valid callback secrets, up to `limit`; throws with the cure when one stays shut. Returns how many there were. */
export async function checkCallbackSecrets(
  { db, sealer, stateDir }: { db: Db; sealer: Sealer; stateDir: string | undefined },
  now: Date,
  limit: number,
): Promise<number> {
  const secrets = await listCallbackSecrets(db, now, limit);
  try {
    for (const { id, sealed } of secrets) sealer.unseal(sealed, callbackSecretContext(id));
  } catch (error) {
    throw new Error(wrongKey(stateDir), { cause: error });
  }
  return secrets.length;
}

function wrongKey(stateDir: string | undefined): string {
  const place = stateDir ? ` (the bundled database's own is in ${stateDir}/encryption.key)` : '';
  return `ENCRYPTION_KEY does not open the callback secrets that are stored; put the key that sealed them${place} behind the new one, separated by a comma`;
}
