import type { Selectable } from 'kysely';
import { recordAudit } from '../challenges/store.ts';
import type { Db } from '../db/database.ts';
import { readClock } from '../db/health.ts';
import { announce } from '../deliveries/announce-store.ts';
import type { Integrations } from '../generated/database.ts';
import { newWebhookSecret } from '../kernel/crypto.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { lockIntegration, updateIntegration } from '../tenants/integrations-store.ts';
import { addCallbackSecret } from '../tenants/keys.ts';
import { endCallbackSecrets, findCallbackSecrets } from '../tenants/secrets-store.ts';
import { sealAnew } from '../tenants/sending.ts';
import { UsageError, withTenant } from './command.ts';
import type { Command } from './command.ts';
import { INTEGRATION_OPTION, integrationOf, overlapMs, overlapOption, secretOf } from './rotation.ts';

type Integration = Selectable<Integrations>;

/** Every live secret is one more signature in each callback. */
const MAX_LIVE = 5;

export const secretRotate: Command = {
  name: 'secret rotate',
  summary: 'Replace an integration’s callback secret; prints the new one, once',
  options: {
    integration: INTEGRATION_OPTION,
    'webhook-secret': { type: 'string', value: 'SECRET', help: 'The new secret; generated when left out' },
    overlap: overlapOption('24h'),
  },
  run: (config, values) =>
    withTenant(config, async ({ db, sealer, ...store }, tenantId) => {
      const integration = await integrationOf({ db, sealer, ...store }, tenantId, values);
      const overlap = overlapMs(values);
      const secret = secretOf(values) ?? newWebhookSecret();
      const { id, until } = await db
        .transaction()
        .execute((tx) => rotate(tx, sealer, integration.id, secret, overlap));
      return {
        json: {
          ...{ integration_id: integration.id, secret_id: id, webhook_secret: secret },
          old_secrets_valid_until: until,
        },
        text: [
          `New callback secret for "${integration.name}", shown only now:`,
          `  ${secret}`,
          `Until ${until.toISOString()}, webhook-signature is made with old and new, X-Webhook-Signature with the old.`,
        ].join('\n'),
      };
    }),
};

/** One at a time for each integration. By the database's clock, which also decides what signs. */
async function rotate(tx: Db, sealer: Sealer, integrationId: string, secret: string, overlap: number) {
  const integration = await lockIntegration(tx, integrationId);
  const at = await readClock(tx);
  const until = new Date(at.getTime() + overlap);
  await endCallbackSecrets(tx, integrationId, until);
  const old = await findCallbackSecrets(tx, integrationId, at);
  if (old.length >= MAX_LIVE) {
    throw new UsageError(
      `"${integration.name}" has ${old.length} live secrets; use --overlap 0, \`countersign secret revoke\`, or wait for one to end`,
    );
  }
  const id = await addCallbackSecret(tx, sealer, integrationId, secret);
  // Whoever replaces ENCRYPTION_KEY rotates all secrets; then nothing of the integration needs the old key.
  await updateIntegration(tx, integrationId, sealAllAnew(sealer, integration));
  const detail = { secret_id: id, old_secrets_valid_until: until.toISOString() };
  const { tenant_id, mode, name } = integration;
  await recordAudit(tx, {
    ...{ tenant_id, at, actor: 'cli', action: 'secret_rotated' },
    detail: JSON.stringify({ integration_id: integrationId, ...detail }),
  });
  // No queue here: the sweep of a running server finds what this leaves.
  const about = { tenant_id, mode, integration_id: integrationId };
  await announce(tx, { ...about, type: 'secret.rotated', integration_name: name, detail }, at);
  return { id, until };
}

function sealAllAnew(sealer: Sealer, integration: Integration) {
  try {
    return sealAnew(sealer, integration);
  } catch (error) {
    const cure = 'countersign integration set --remove-header all --ca none --client-cert none';
    throw new Error(
      `the headers or certificates of "${integration.name}" do not open (${(error as Error).message}); put the key that sealed them behind the new one in ENCRYPTION_KEY, or give them up: \`${cure}\``,
      { cause: error },
    );
  }
}
