import type { ParseArgsConfig } from 'node:util';
import type { Config } from '../config.ts';
import { migrate, pendingMigrations } from '../db/migrate.ts';
import { openStore } from '../db/open.ts';
import type { Store } from '../db/open.ts';
import { findFirstTenant } from '../tenants/store.ts';

/**
 * An option as parseArgs takes it, with a line for `--help`. `value` names what is to be entered; where an empty text
 * is something to enter as well, `empty` says what it does.
 */
export type Option = NonNullable<ParseArgsConfig['options']>[string] & {
  help: string;
  value?: string;
  required?: boolean;
  empty?: string;
};
export type Values = { [name: string]: string | boolean | (string | boolean)[] | undefined };
/** What a command has to say: for programs and for people. A `failed` one ends with exit code 1. */
export type Answer = { json: object; text: string; failed?: boolean };

/** One command of the command line. */
export type Command = {
  name: string;
  summary: string;
  options: { [name: string]: Option };
  run(config: Config, values: Values): Promise<Answer | undefined>;
};

/** The user wrote something that cannot be; the message says what to write instead. Exit code 2. */
export class UsageError extends Error {}

export const MODE_OPTION: Option = {
  type: 'string',
  value: 'test|live',
  default: 'test',
  help: 'Mode (default: test)',
};

/** The value of `--mode`. */
export function modeOf(values: Values): 'test' | 'live' {
  const { mode } = values;
  if (mode !== 'test' && mode !== 'live') throw new UsageError('--mode must be test or live');
  return mode;
}

/** The text of an option, if it was given. */
export function textOf(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The texts of an option that may be given several times. */
export function textsOf(values: Values, name: string): string[] {
  const value = values[name];
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

/** Runs `work` on the store and its first tenant, beside a running server or without one. */
export async function withTenant<T>(
  config: Config,
  work: (store: Store, tenantId: string) => Promise<T>,
): Promise<T> {
  const store = await openStore(config, () => undefined);
  try {
    await requireCurrent(store);
    const tenant = await findFirstTenant(store.db);
    if (!tenant) throw new Error('there is no tenant yet; start the server once with `countersign serve`');
    return await work(store, tenant.id);
  } finally {
    await store.close();
  }
}

/** A developer's database is simply brought up to date; the operator's only when they say so. */
async function requireCurrent({ connection, bundled }: Store): Promise<void> {
  if (bundled) return void (await migrate(connection));
  if ((await pendingMigrations(connection)).length > 0) {
    throw new Error('the database is not up to date; run `countersign migrate` first');
  }
}
