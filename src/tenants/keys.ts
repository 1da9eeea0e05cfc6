import type { Db } from '../db/database.ts';
import { newToken, newWebhookSecret, sha256 } from '../kernel/crypto.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { newId } from '../kernel/id.ts';
import { insertCallbackSecret } from './secrets-store.ts';
import { insertIntegration, insertKey } from './store.ts';
import type { KeyRights, Mode, NewIntegration } from './store.ts';

/** How much of a key is kept readable: enough to tell keys apart, far too little to guess one. */
const PREFIX_LENGTH = 12;

/** A new API key for the mode, its hash as stored, and the prefix people may see. */
export function newApiKey(mode: Mode): { key: string; key_hash: string; key_prefix: string } {
  const key = `cs_${mode}_${newToken()}`;
  return { key, key_hash: sha256(key), key_prefix: key.slice(0, PREFIX_LENGTH) };
}

/** Where a callback secret belongs, so that a sealed value copied to another row does not open. */
export function callbackSecretContext(secretId: string): string {
  return `callback_secrets:${secretId}`;
}

/** Seals and stores a callback secret; returns its id. */
export async function addCallbackSecret(
  db: Db,
  sealer: Sealer,
  integrationId: string,
  secret: string,
): Promise<string> {
  const id = newId();
  await insertCallbackSecret(db, integrationId, id, sealer.seal(secret, callbackSecretContext(id)));
  return id;
}

/** The part of a key, or of what a list shows of it, that tells it from others. */
export function keyPrefix(text: string): string {
  return text.replace(/…$/, '').slice(0, PREFIX_LENGTH);
}

/** Creates a webhook integration with its first key and a callback secret (generated unless given); both are shown only here. */
export async function createIntegration(
  db: Db,
  sealer: Sealer,
  wish: NewIntegration & { secret?: string | undefined; rights?: KeyRights | undefined },
): Promise<{ integrationId: string; apiKey: string; secret: string }> {
  const { secret = newWebhookSecret(), rights, ...integration } = wish;
  const integrationId = await insertIntegration(db, integration);
  const { key, ...stored } = newApiKey(integration.mode);
  await insertKey(db, { integration_id: integrationId, ...stored, ...rights });
  await addCallbackSecret(db, sealer, integrationId, secret);
  return { integrationId, apiKey: key, secret };
}
