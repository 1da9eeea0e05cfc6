import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import type { Store } from '../db/open.ts';
import { MAX_DOMAINS, readDomain } from '../tenants/domains.ts';
import { findTenantMode, saveTenantMode } from '../tenants/modes-store.ts';
import type { Mode } from '../tenants/store.ts';
import { MODE_OPTION, UsageError, modeOf, textOf, withTenant } from './command.ts';
import type { Answer, Command, Option, Values } from './command.ts';
import { untilServersNoticed } from './rotation.ts';

/** SQLSTATE: another command changed the list meanwhile. */
const CHANGED_MEANWHILE = '40001';
const TRIES = 20;
const PAUSE_MS = 50;
const DOMAIN_OPTION: Option = {
  type: 'string',
  value: 'DOMAIN',
  required: true,
  help: 'Such as https://www.example.com, https://*.example.com or https://www.example.com:*',
};
const OPTIONS = { domain: DOMAIN_OPTION, mode: MODE_OPTION };

const add: Command = {
  name: 'domain add',
  summary: 'Let a site frame the hosted pages, and let people be sent there afterwards',
  options: OPTIONS,
  run: (config, values) =>
    change(config, values, (domains, domain) => {
      if (domains.includes(domain)) return domains;
      if (domains.length >= MAX_DOMAINS)
        throw new UsageError(
          `a mode has at most ${MAX_DOMAINS} domains; remove one first, or use a wildcard`,
        );
      return [...domains, domain];
    }),
};

const remove: Command = {
  name: 'domain remove',
  summary: 'Take a site off the list of allowed domains, at once also for open challenges',
  options: OPTIONS,
  run: (config, values) =>
    change(config, values, (domains, domain, mode) => {
      if (!domains.includes(domain))
        throw new UsageError(`${domain} is not on the list of ${mode} mode; see \`countersign domain list\``);
      return domains.filter((one) => one !== domain);
    }),
};

const list: Command = {
  name: 'domain list',
  summary: 'Show the allowed domains of both modes',
  options: {},
  run: (config) =>
    withTenant(config, async ({ db }, tenantId) => {
      const [test, live] = [
        (await findTenantMode(db, tenantId, 'test')).allowed_domains,
        (await findTenantMode(db, tenantId, 'live')).allowed_domains,
      ];
      return { json: { test, live }, text: [textOfList('test', test), textOfList('live', live)].join('\n') };
    }),
};

export const domainCommands: Command[] = [add, remove, list];

type Edit = (domains: string[], domain: string, mode: Mode) => string[];

function change(config: Config, values: Values, edit: Edit): Promise<Answer> {
  return withTenant(config, async ({ db }, tenantId) => {
    const mode = modeOf(values);
    const domain = readDomain(textOf(values, 'domain') ?? '', mode);
    const domains = await edited(db, tenantId, mode, (before) => edit(before, domain, mode));
    await untilServersNoticed();
    return { json: { mode, domain, allowed_domains: domains }, text: textOfList(mode, domains) };
  });
}

/** Two commands at once both count: the one whose view of the list is out of date begins again. */
async function edited(
  db: Store['db'],
  tenantId: string,
  mode: Mode,
  edit: (domains: string[]) => string[],
): Promise<string[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await db
        .transaction()
        .setIsolationLevel('serializable')
        .execute(async (tx) => {
          const allowed_domains = edit((await findTenantMode(tx, tenantId, mode)).allowed_domains);
          await saveTenantMode(tx, tenantId, mode, { allowed_domains });
          return allowed_domains;
        });
    } catch (error) {
      if ((error as { code?: unknown }).code !== CHANGED_MEANWHILE || tries === TRIES) throw error;
      await sleep(PAUSE_MS * Math.random());
    }
  }
}

function textOfList(mode: Mode, domains: readonly string[]): string {
  const lines =
    domains.length === 0 ? ['none: no site may frame the pages, and no return_url is accepted'] : domains;
  return [`${mode} mode`, ...lines.map((line) => `  ${line}`)].join('\n');
}
