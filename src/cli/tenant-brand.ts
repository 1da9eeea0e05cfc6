import { readFile, stat } from 'node:fs/promises';
import { MAX_LOGO_BYTES, readLogo, readName, readSupport } from '../tenants/brand.ts';
import { CONTACTS, findBrand, saveBrand } from '../tenants/brand-store.ts';
import type { Support } from '../tenants/brand-store.ts';
import { UsageError, withTenant } from './command.ts';
import type { Command, Option, Values } from './command.ts';

const TAKES_AWAY = 'takes it away';

const setName: Command = {
  name: 'tenant set-name',
  summary: 'Set the name that people read on every page',
  options: {
    name: {
      ...{ type: 'string', value: 'NAME', required: true, empty: TAKES_AWAY },
      help: 'What people know your organization by',
    },
  },
  run: (config, values) =>
    withTenant(config, async ({ db }, tenantId) => {
      const name = values.name === '' ? null : readName(String(values.name));
      await saveBrand(db, tenantId, { name });
      const text = name === null ? 'Pages name nobody any more.' : `People now read "${name}" on every page.`;
      return { json: { name }, text };
    }),
};

const CONTACT_OPTIONS = {
  email: { type: 'string', empty: TAKES_AWAY, value: 'ADDRESS', help: 'An e-mail address' },
  phone: { type: 'string', empty: TAKES_AWAY, value: 'NUMBER', help: 'A telephone number' },
  slack: {
    type: 'string',
    empty: TAKES_AWAY,
    value: '#CHANNEL|URL',
    help: 'A Slack channel, or its https address',
  },
  url: { type: 'string', empty: TAKES_AWAY, value: 'URL', help: 'Where people open a ticket' },
} as const satisfies { [name in (typeof CONTACTS)[number]]: Option };

const setSupport: Command = {
  name: 'tenant set-support',
  summary: 'Set whom people may ask; shown on every page',
  options: CONTACT_OPTIONS,
  run: (config, values) =>
    withTenant(config, async ({ db }, tenantId) => {
      const change = contactsIn(values);
      if (Object.keys(change).length === 0)
        throw new UsageError('say what to set: --email, --phone, --slack or --url');
      const { support: now } = await findBrand(db, tenantId);
      const support = readSupport(now, change);
      await saveBrand(db, tenantId, { support });
      return { json: { support }, text: ['People may ask:', ...contactLines(support)].join('\n') };
    }),
};

const setLogo: Command = {
  name: 'tenant set-logo',
  summary: 'Set the logo on every page',
  options: {
    file: {
      ...{ type: 'string', value: 'PATH', required: true, empty: TAKES_AWAY },
      help: `A PNG, JPEG or WebP file of at most ${MAX_LOGO_BYTES / 1_024} KiB`,
    },
  },
  run: async (config, values) => {
    const file = String(values.file);
    const logo = file === '' ? null : readLogo(await readSmall(file));
    return withTenant(config, async ({ db }, tenantId) => {
      await saveBrand(db, tenantId, { logo });
      const text = logo ? `Every page shows the logo now (${logo.type}).` : 'Pages show no logo any more.';
      return { json: { logo: logo && { type: logo.type, bytes: logo.bytes.length } }, text };
    });
  },
};

/** How a tenant shows itself to people. */
export const brandCommands: Command[] = [setName, setSupport, setLogo];

function contactsIn(values: Values): Support {
  return Object.fromEntries(
    CONTACTS.map((name) => [name, values[name]] as const).filter(([, value]) => typeof value === 'string'),
  );
}

/** Whom people may ask, a line each. */
export function contactLines(support: Support): string[] {
  const lines = Object.entries(support).map(([name, contact]) => `  ${name}: ${contact}`);
  return lines.length > 0 ? lines : ['  their help desk (no contact is set)'];
}

/** Not the whole of a file that cannot be meant. */
async function readSmall(path: string): Promise<Buffer> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new UsageError(`there is no file ${path}`);
  if (found.size > MAX_LOGO_BYTES)
    throw new UsageError(`${path} has ${found.size} bytes; a logo may have at most ${MAX_LOGO_BYTES}`);
  return readFile(path);
}
