import type { Db } from '../db/database.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { listSealedSending } from './integrations-store.ts';
import { callbackSecretContext } from './keys.ts';
import { listCallbackSecrets } from './secrets-store.ts';
import { openHeaders, openTls } from './sending.ts';

/**
 * Unseals what sending callbacks needs, up to `limit` of each kind, newest first: valid secrets, and integrations'
 * headers and TLS. Throws with the cure when something stays shut. Returns how many secrets there were.
 */
export async function checkCallbackSecrets(
  { db, sealer, stateDir }: { db: Db; sealer: Sealer; stateDir: string | undefined },
  now: Date,
  limit: number,
): Promise<number> {
  const secrets = await listCallbackSecrets(db, now, limit);
  const sendings = await listSealedSending(db, limit);
  try {
    for (const { id, sealed } of secrets) sealer.unseal(sealed, callbackSecretContext(id));
    for (const { id, headers_sealed, tls_sealed } of sendings) {
      openHeaders(sealer, id, headers_sealed);
      openTls(sealer, id, tls_sealed);
    }
  } catch (error) {
    throw new Error(wrongKey(stateDir), { cause: error });
  }
  return secrets.length;
}

function wrongKey(stateDir: string | undefined): string {
  const place = stateDir ? ` (the bundled database's own is in ${stateDir}/encryption.key)` : '';
  return `ENCRYPTION_KEY does not open the callback secrets, headers or certificates that are stored; put the key that sealed them${place} behind the new one, separated by a comma`;
}
