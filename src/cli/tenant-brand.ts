import { readFile, stat } from 'node:fs/promises';
import { MAX_LOGO_BYTES, readLogo, readName, readSupport } from '../tenants/brand.ts';
import { findBrand, saveBrand } from '../tenants/brand-store.ts';
import type { Brand, Support } from '../tenants/brand-store.ts';
import { UsageError, withTenant } from './command.ts';
import type { Command, Values } from './command.ts';

const setName: Command = {
  name: 'tenant set-name',
  summary: 'Set the name that people read on every page',
  options: {
    name: { type: 'string', value: 'NAME', required: true, help: 'What people know your organization by' },
  },
  run: (config, values) =>
    withTenant(config, async ({ db }, tenantId) => {
      const name = readName(String(values.name));
      await saveBrand(db, tenantId, { name });
      return { json: { name }, text: `People now read "${name}" on every page.` };
    }),
};

const CONTACT_OPTIONS = {
  email: { type: 'string', value: 'ADDRESS', help: 'An e-mail address' },
  phone: { type: 'string', value: 'NUMBER', help: 'A telephone number' },
  slack: { type: 'string', value: '#CHANNEL|URL', help: 'A Slack channel, or its https address' },
  url: { type: 'string', value: 'URL', help: 'Where people open a ticket' },
} as const;

const setSupport: Command = {
  name: 'tenant set-support',
  summary: 'Set whom people may ask; shown on every page ("" takes one away)',
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
  summary: 'Set the logo on every page ("" takes it away)',
  options: {
    file: {
      type: 'string',
      value: 'PATH',
      help: `A PNG, JPEG or WebP file of at most ${MAX_LOGO_BYTES / 1_024} KiB (required)`,
    },
  },
  run: async (config, values) => {
    const { file } = values;
    if (typeof file !== 'string')
      throw new UsageError('--file missing; see `countersign tenant set-logo --help`');
    const logo = file === '' ? null : readLogo(await readSmall(file));
    return withTenant(config, async ({ db }, tenantId) => {
      await saveBrand(db, tenantId, { logo });
      const text = logo ? `Every page shows the logo now (${logo.type}).` : 'Pages show no logo any more.';
      return { json: { logo: logo && { type: logo.type, bytes: logo.bytes.length } }, text };
    });
  },
};

const show: Command = {
  name: 'tenant show',
  summary: 'Show what people see of the tenant: name, logo, whom to ask',
  options: {},
  run: (config) =>
    withTenant(config, async ({ db }, tenantId) => {
      const brand = await findBrand(db, tenantId);
      return { json: brand, text: textOf(brand) };
    }),
};

/** How a tenant shows itself to people. */
export const brandCommands: Command[] = [setName, setSupport, setLogo, show];

function contactsIn(values: Values): Support {
  const names = Object.keys(CONTACT_OPTIONS) as (keyof Support)[];
  return Object.fromEntries(
    names.map((name) => [name, values[name]] as const).filter(([, value]) => typeof value === 'string'),
  );
}

function contactLines(support: Support): string[] {
  const lines = Object.entries(support).map(([name, contact]) => `  ${name}: ${contact}`);
  return lines.length > 0 ? lines : ['  their help desk (no contact is set)'];
}

function textOf({ id, name, logo, support }: Brand): string {
  return [
    `id: ${id}`,
    `name: ${name ?? '(none: see `countersign tenant set-name`)'}`,
    `logo: ${logo === null ? '(none)' : `/assets/logo/${id}/${logo}`}`,
    'people may ask:',
    ...contactLines(support),
  ].join('\n');
}

/** Not the whole of a file that cannot be meant. */
async function readSmall(path: string): Promise<Buffer> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new UsageError(`there is no file ${path}`);
  if (found.size > MAX_LOGO_BYTES)
    throw new UsageError(`${path} has ${found.size} bytes; a logo may have at most ${MAX_LOGO_BYTES}`);
  return readFile(path);
}
