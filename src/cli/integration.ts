import { invalid } from '../kernel/errors.ts';
import { createReach } from '../reach.ts';
import { createIntegration } from '../tenants/keys.ts';
import { listIntegrations } from '../tenants/store.ts';
import { MODE_OPTION, modeOf, textOf, withTenant } from './command.ts';
import type { Command } from './command.ts';

const MAX_NAME = 100;
const MAX_SECRET = 256;

export const integrationCreate: Command = {
  name: 'integration create',
  summary: 'Add a webhook integration; prints its API key and callback secret, once',
  options: {
    name: { type: 'string', value: 'NAME', required: true, help: 'What people call it, such as "ITSM"' },
    'callback-url': {
      type: 'string',
      value: 'URL',
      help: 'Where callbacks go unless a request names another place',
    },
    'webhook-secret': { type: 'string', value: 'SECRET', help: 'Signs callbacks; generated when left out' },
    mode: MODE_OPTION,
  },
  run: (config, values) =>
    withTenant(config, async (store, tenant_id) => {
      const mode = modeOf(values);
      const name = textOf(values, 'name') ?? '';
      if (name.length > MAX_NAME) throw invalid(`--name must have at most ${MAX_NAME} characters`);
      const secret = checkSecret(textOf(values, 'webhook-secret'));
      const callback_url = textOf(values, 'callback-url') ?? null;
      const reach = createReach(config, store.bundled);
      if (callback_url) reach.checkCallbackUrl(callback_url, mode, '--callback-url');
      await reach.outbound.close();
      const made = await store.db
        .transaction()
        .execute((tx) =>
          createIntegration(tx, store.sealer, { tenant_id, name, mode, callback_url, secret }),
        );
      return {
        json: {
          integration_id: made.integrationId,
          name,
          mode,
          callback_url,
          api_key: made.apiKey,
          webhook_secret: made.secret,
        },
        text: [
          `Integration "${name}" (${mode} mode): ${made.integrationId}`,
          `Callbacks go to: ${callback_url ?? 'the callback_url of each request'}`,
          '',
          'Keep these; they are shown only now.',
          `  API key          ${made.apiKey}`,
          `  Callback secret  ${made.secret}`,
        ].join('\n'),
      };
    }),
};

export const integrationList: Command = {
  name: 'integration list',
  summary: 'Show the integrations and which keys are valid',
  options: {},
  run: (config) =>
    withTenant(config, async ({ db }, tenantId) => {
      const rows = await listIntegrations(db, tenantId, new Date());
      return {
        json: { integrations: rows.map(({ id, ...row }) => ({ integration_id: id, ...row })) },
        text: rows
          .map(
            (row) =>
              `${row.id}  ${row.mode}  ${row.name}\n  callbacks: ${row.callback_url ?? 'per request'}\n  keys: ${row.key_prefixes.map((prefix) => `${prefix}…`).join(', ') || 'none valid'}`,
          )
          .join('\n'),
      };
    }),
};

/** A whsec_ secret must decode, or the Standard Webhooks signature would be keyed with rubbish. */
function checkSecret(secret: string | undefined): string | undefined {
  if (secret === undefined) return undefined;
  if (secret.length > MAX_SECRET || !/^[\x21-\x7e]+$/.test(secret)) {
    throw invalid(`--webhook-secret must be 1 to ${MAX_SECRET} printable characters without spaces`);
  }
  if (secret.startsWith('whsec_') && !/^[A-Za-z0-9+/]{22,}={0,2}$/.test(secret.slice('whsec_'.length))) {
    throw invalid('--webhook-secret starts with whsec_ but does not go on with base64 of at least 16 bytes');
  }
  return secret;
}
