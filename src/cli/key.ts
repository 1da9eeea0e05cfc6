import { setTimeout as sleep } from 'node:timers/promises';
import { CALLER_CACHE_MS } from '../api/authenticate.ts';
import type { Store } from '../db/open.ts';
import { newApiKey } from '../tenants/keys.ts';
import { endKeys, findIntegration, insertKey } from '../tenants/store.ts';
import { UsageError, textOf, withTenant } from './command.ts';
import type { Command, Option } from './command.ts';

const MAX_OVERLAP_MS = 7 * 24 * 3_600_000;
const UNITS: { [unit: string]: number } = { s: 1_000, m: 60_000, h: 3_600_000, d: 24 * 3_600_000 };
const INTEGRATION: Option = { type: 'string', value: 'ID|NAME', required: true, help: 'The integration' };

export const keyRotate: Command = {
  name: 'key rotate',
  summary: 'Replace an integration’s API key; prints the new one, once',
  options: {
    integration: INTEGRATION,
    overlap: {
      type: 'string',
      value: 'TIME',
      default: '0',
      help: 'How long the old key stays valid: 0, 30m, 24h, up to 7d (default: 0)',
    },
  },
  run: (config, values) =>
    withTenant(config, async (store, tenantId) => {
      const integration = await getIntegration(store, tenantId, textOf(values, 'integration') ?? '');
      const until = new Date(Date.now() + durationOf(textOf(values, 'overlap') ?? '0'));
      const { key, ...stored } = newApiKey(integration.mode);
      const ended = await store.db.transaction().execute(async (tx) => {
        const prefixes = await endKeys(tx, integration.id, until);
        await insertKey(tx, { integration_id: integration.id, ...stored });
        return prefixes;
      });
      await untilServersNoticed();
      return {
        json: { integration_id: integration.id, api_key: key, old_keys: ended, old_keys_valid_until: until },
        text: [
          `New API key for "${integration.name}", shown only now:`,
          `  ${key}`,
          `Old keys (${ended.map((prefix) => `${prefix}…`).join(', ') || 'none'}) are valid until ${until.toISOString()}.`,
        ].join('\n'),
      };
    }),
};

export const keyRevoke: Command = {
  name: 'key revoke',
  summary: 'End API keys at once',
  options: {
    integration: INTEGRATION,
    prefix: {
      type: 'string',
      value: 'PREFIX',
      help: 'Only the key that starts like this (default: all keys)',
    },
  },
  run: (config, values) =>
    withTenant(config, async (store, tenantId) => {
      const integration = await getIntegration(store, tenantId, textOf(values, 'integration') ?? '');
      const prefix = textOf(values, 'prefix');
      const ended = await endKeys(store.db, integration.id, new Date(), prefix);
      if (ended.length === 0)
        throw new UsageError(
          `"${integration.name}" has no valid key${prefix ? ` with prefix ${prefix}` : ''}`,
        );
      await untilServersNoticed();
      return {
        json: { integration_id: integration.id, revoked: ended },
        text: `Revoked ${ended.map((key) => `${key}…`).join(', ')} of "${integration.name}". No server accepts them any more.`,
      };
    }),
};

/** Servers remember callers for a moment; when the command returns, the change holds everywhere. */
export function untilServersNoticed(): Promise<void> {
  return sleep(CALLER_CACHE_MS);
}

async function getIntegration({ db }: Store, tenantId: string, idOrName: string) {
  const integration = await findIntegration(db, tenantId, idOrName);
  if (!integration)
    throw new UsageError(`there is no integration "${idOrName}"; see \`countersign integration list\``);
  return integration;
}

function durationOf(text: string): number {
  if (text === '0') return 0;
  const [, amount, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(amount) * (UNITS[unit] ?? Number.NaN);
  if (!(ms <= MAX_OVERLAP_MS))
    throw new UsageError('--overlap must be 0 or a time such as 30m, 24h or 7d, at most 7d');
  return ms;
}
