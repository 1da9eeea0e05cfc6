import { newWebhookSecret } from '../kernel/crypto.ts';
import { addCallbackSecret } from '../tenants/keys.ts';
import { endCallbackSecrets, findCallbackSecrets } from '../tenants/secrets-store.ts';
import { UsageError, withTenant } from './command.ts';
import type { Command } from './command.ts';
import { INTEGRATION_OPTION, integrationOf, overlapEnd, overlapOption, secretOf } from './rotation.ts';

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
    withTenant(config, async (store, tenantId) => {
      const integration = await integrationOf(store, tenantId, values);
      const until = overlapEnd(values);
      const secret = secretOf(values) ?? newWebhookSecret();
      await store.db.transaction().execute(async (tx) => {
        await endCallbackSecrets(tx, integration.id, until);
        const live = await findCallbackSecrets(tx, integration.id, new Date());
        if (live.length >= MAX_LIVE) {
          throw new UsageError(
            `"${integration.name}" has ${live.length} live secrets; use --overlap 0 or wait for one to end`,
          );
        }
        await addCallbackSecret(tx, store.sealer, integration.id, secret);
      });
      return {
        json: { integration_id: integration.id, webhook_secret: secret, old_secrets_valid_until: until },
        text: [
          `New callback secret for "${integration.name}", shown only now:`,
          `  ${secret}`,
          `Until ${until.toISOString()}, webhook-signature is made with old and new, X-Webhook-Signature with the old.`,
        ].join('\n'),
      };
    }),
};
