import { recordAudit } from '../challenges/store.ts';
import type { Db } from '../db/database.ts';
import { readClock } from '../db/health.ts';
import { lockIntegration } from '../tenants/integrations-store.ts';
import { endCallbackSecret, findCallbackSecrets } from '../tenants/secrets-store.ts';
import { UsageError, textOf, withTenant } from './command.ts';
import type { Command } from './command.ts';
import { INTEGRATION_OPTION, integrationOf } from './rotation.ts';

export const secretList: Command = {
  name: 'secret list',
  summary: 'Show an integration’s live callback secrets by id, and what each signs',
  options: { integration: INTEGRATION_OPTION },
  run: (config, values) =>
    withTenant(config, async (store, tenantId) => {
      const { id, name } = await integrationOf(store, tenantId, values);
      const live = await findCallbackSecrets(store.db, id, await readClock(store.db));
      const secrets = live.map(({ id: secret_id, created_at, valid_until }, index) => ({
        secret_id,
        created_at,
        valid_until,
        signs:
          index === live.length - 1 ? ['webhook-signature', 'X-Webhook-Signature'] : ['webhook-signature'],
      }));
      const text = secrets.map(
        ({ secret_id, created_at, valid_until, signs }) =>
          `${secret_id}  made ${created_at.toISOString()}  valid until ${valid_until?.toISOString() ?? 'it is replaced'}\n  signs ${signs.join(' and ')}`,
      );
      return {
        json: { integration_id: id, secrets },
        text: [`Callback secrets of "${name}", newest first:`, ...text].join('\n'),
      };
    }),
};

export const secretRevoke: Command = {
  name: 'secret revoke',
  summary: 'End one callback secret now; another one must be there to go on',
  options: {
    integration: INTEGRATION_OPTION,
    id: { type: 'string', value: 'ID', required: true, help: 'Which, as `secret list` shows it' },
  },
  run: (config, values) =>
    withTenant(config, async (store, tenantId) => {
      const integration = await integrationOf(store, tenantId, values);
      const id = textOf(values, 'id') ?? '';
      const left = await store.db.transaction().execute((tx) => revoke(tx, integration.id, id));
      return {
        json: { integration_id: integration.id, revoked: id, live_secrets: left },
        text: `Secret ${id} of "${integration.name}" has ended; ${left} go${left === 1 ? 'es' : ''} on. Callbacks under way may still carry its signature.`,
      };
    }),
};

async function revoke(tx: Db, integrationId: string, id: string): Promise<number> {
  const { tenant_id, name } = await lockIntegration(tx, integrationId);
  const at = await readClock(tx);
  const live = await findCallbackSecrets(tx, integrationId, at);
  if (!live.some((secret) => secret.id === id))
    throw new UsageError(`"${name}" has no live secret "${id}"; see \`countersign secret list\``);
  const others = live.filter((secret) => secret.id !== id);
  if (others.length === 0)
    throw new UsageError(
      'it is the only live secret, and nothing would sign callbacks; use `countersign secret rotate --overlap 0`',
    );
  // All others end some day, and from then on nothing would sign.
  if (others.every((secret) => secret.valid_until !== null))
    throw new UsageError(
      'all other secrets are about to end; run `countersign secret rotate` first, then revoke this one',
    );
  await endCallbackSecret(tx, id, at);
  await recordAudit(tx, {
    ...{ tenant_id, at, actor: 'cli', action: 'secret_revoked' },
    detail: JSON.stringify({ integration_id: integrationId, secret_id: id }),
  });
  return others.length;
}
