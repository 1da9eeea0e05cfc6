import { keyPrefix, newApiKey } from '../tenants/keys.ts';
import { endKeys, findKeyRights, insertKey } from '../tenants/store.ts';
import { UsageError, textOf, withTenant } from './command.ts';
import type { Command } from './command.ts';
import {
  INTEGRATION_OPTION,
  integrationOf,
  overlapEnd,
  overlapOption,
  untilServersNoticed,
} from './rotation.ts';

export const keyRotate: Command = {
  name: 'key rotate',
  summary: 'Replace an integration’s API key by one with the same rights; prints it, once',
  options: { integration: INTEGRATION_OPTION, overlap: overlapOption('0') },
  run: (config, values) =>
    withTenant(config, async (store, tenantId) => {
      const integration = await integrationOf(store, tenantId, values);
      const until = overlapEnd(values);
      const { key, ...stored } = newApiKey(integration.mode);
      const ended = await store.db.transaction().execute(async (tx) => {
        const rights = await findKeyRights(tx, integration.id);
        const prefixes = await endKeys(tx, integration.id, until);
        await insertKey(tx, { integration_id: integration.id, ...stored, ...rights });
        return prefixes;
      });
      await untilServersNoticed();
      return {
        json: { integration_id: integration.id, api_key: key, old_keys: ended, old_keys_valid_until: until },
        text: [
          `New API key for "${integration.name}", shown only now:`,
          `  ${key}`,
          ended.length === 0
            ? 'No key of it was valid before.'
            : `Old keys (${shown(ended)}) are valid until ${until.toISOString()}.`,
        ].join('\n'),
      };
    }),
};

export const keyRevoke: Command = {
  name: 'key revoke',
  summary: 'End API keys at once',
  options: {
    integration: INTEGRATION_OPTION,
    prefix: {
      type: 'string',
      value: 'KEY',
      help: 'Only this key: the whole of it, or what `integration list` shows (default: all keys)',
    },
  },
  run: (config, values) =>
    withTenant(config, async (store, tenantId) => {
      const integration = await integrationOf(store, tenantId, values);
      const wanted = textOf(values, 'prefix');
      const prefix = wanted === undefined ? undefined : keyPrefix(wanted);
      const ended = await endKeys(store.db, integration.id, new Date(), prefix);
      if (ended.length === 0) {
        throw new UsageError(`"${integration.name}" has no valid key${prefix ? ` ${prefix}…` : ''}`);
      }
      await untilServersNoticed();
      return {
        json: { integration_id: integration.id, revoked: ended },
        text: `Revoked ${shown(ended)} of "${integration.name}". No server accepts them any more.`,
      };
    }),
};

function shown(prefixes: string[]): string {
  return prefixes.map((prefix) => `${prefix}…`).join(', ');
}
