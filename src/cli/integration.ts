import { invalid } from '../kernel/errors.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { createReach } from '../reach.ts';
import { createIntegration } from '../tenants/keys.ts';
import { DEFAULT_SCOPES, SCOPES, listIntegrations } from '../tenants/store.ts';
import type { KeyRights } from '../tenants/store.ts';
import { MODE_OPTION, UsageError, modeOf, textOf, withTenant } from './command.ts';
import type { Command, Values } from './command.ts';
import { SENDING_OPTIONS, sendingOf } from './integration-options.ts';
import { linesOf, shownOf } from './integration-shown.ts';
import { secretOf } from './rotation.ts';

const MAX_NAME = 100;

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
    ...SENDING_OPTIONS,
    scopes: {
      type: 'string',
      value: 'LIST',
      default: DEFAULT_SCOPES.join(','),
      help: `What its key may do, of ${SCOPES.join(',')} (default: ${DEFAULT_SCOPES.join(',')})`,
    },
    'own-only': { type: 'boolean', default: false, help: 'Its key sees only challenges it created' },
  },
  run: (config, values) =>
    withTenant(config, async (store, tenant_id) => {
      const mode = modeOf(values);
      const name = textOf(values, 'name') ?? '';
      if (name.length > MAX_NAME) throw invalid(`--name must have at most ${MAX_NAME} characters`);
      const secret = secretOf(values);
      const rights = rightsOf(values);
      const sending = sendingOf(values);
      const callback_url = textOf(values, 'callback-url') ?? null;
      const reach = createReach(config, store.bundled);
      if (callback_url) reach.checkCallbackUrl(callback_url, mode, '--callback-url');
      await reach.outbound.close();
      const made = await store.db.transaction().execute((tx) =>
        createIntegration(tx, store.sealer, {
          ...{ tenant_id, name, mode, callback_url, secret, rights },
          ...sending,
        }),
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
    withTenant(config, async ({ db, sealer }, tenantId) => {
      const rows = await listIntegrations(db, tenantId, new Date());
      const integrations = rows.map((row) => present(sealer, row));
      return { json: { integrations }, text: integrations.map(textOfOne).join('\n') };
    }),
};

type Row = Awaited<ReturnType<typeof listIntegrations>>[number];

function present(sealer: Sealer, row: Row) {
  const { id, kind, name, mode, created_at, key_prefixes } = row;
  return { integration_id: id, kind, name, mode, created_at, key_prefixes, ...shownOf(sealer, row) };
}

function textOfOne(one: ReturnType<typeof present>): string {
  const keys = one.key_prefixes.map((prefix) => `${prefix}…`).join(', ') || 'none valid';
  const lines = [...linesOf(one), `keys: ${keys}`];
  const kind = one.kind === 'slack' ? '  (Slack: see `countersign slack list`)' : '';
  return [`${one.integration_id}  ${one.mode}  ${one.name}${kind}`, ...lines.map((line) => `  ${line}`)].join(
    '\n',
  );
}

function rightsOf(values: Values): KeyRights {
  const scopes = (textOf(values, 'scopes') ?? '').split(',').map((scope) => scope.trim());
  if (!scopes.every((scope) => SCOPES.some((known) => known === scope))) {
    throw new UsageError(`--scopes takes ${SCOPES.join(', ')}, separated by commas`);
  }
  return { scopes, own_only: values['own-only'] === true };
}
