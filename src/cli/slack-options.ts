import type { Config } from '../config.ts';
import { readText } from '../challenges/text.ts';
import type { Store } from '../db/open.ts';
import { AppError } from '../kernel/errors.ts';
import { parseUrl } from '../kernel/address.ts';
import { createReach } from '../reach.ts';
import type { Http } from '../slack/client.ts';
import { SLACK_API_URL } from '../slack/workspace.ts';
import { findWorkspace } from '../slack/workspaces-store.ts';
import type { WorkspaceRow } from '../slack/workspaces-store.ts';
import { UsageError, textOf } from './command.ts';
import type { Option, Values } from './command.ts';
import { idOf } from './desk.ts';

const MAX_NAME = 100;

export const WORKSPACE_OPTION: Option = {
  type: 'string',
  value: 'ID',
  required: true,
  help: 'The workspace’s id here, as `slack list` shows it',
};

/** The tenant's workspace that `--id` names, or an error that says where ids are shown. */
export async function workspaceOf(
  { db }: Pick<Store, 'db'>,
  tenantId: string,
  values: Values,
): Promise<WorkspaceRow> {
  const id = idOf(values, 'slack list');
  const row = await findWorkspace(db, id);
  if (row?.tenant_id === tenantId) return row;
  throw new UsageError(`there is no Slack workspace ${id}; see \`countersign slack list\``);
}

/** The value of `--name`. */
export function nameOf(values: Values): string {
  try {
    const name = readText(values.name, '--name', { max: MAX_NAME });
    if (name !== undefined) return name;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  throw new UsageError('--name must not be empty');
}

/** The value of `--api-url` as it is stored: an origin that the mode may call. */
export async function apiUrlOf(
  config: Config,
  { bundled }: Pick<Store, 'bundled'>,
  mode: 'test' | 'live',
  values: Values,
): Promise<string> {
  const text = textOf(values, 'api-url') ?? SLACK_API_URL;
  const url = parseUrl(text);
  if (!url || url.origin !== text.replace(/\/$/, '').toLowerCase())
    throw new UsageError(`--api-url must be an address without a path, such as ${SLACK_API_URL}`);
  const { outbound, checkCallbackUrl } = createReach(config, bundled);
  try {
    checkCallbackUrl(url.origin, mode, '--api-url');
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new UsageError(error.message);
  } finally {
    await outbound.close();
  }
  return url.origin;
}

/** Runs `work` with the way out to a workspace's API; closed afterwards. */
export async function withHttp<T>(
  config: Config,
  { bundled }: Pick<Store, 'bundled'>,
  work: (httpOf: (mode: 'test' | 'live') => Http) => Promise<T>,
): Promise<T> {
  const { outbound, reachOf } = createReach(config, bundled);
  try {
    return await work((mode) => ({ outbound, reach: reachOf(mode) }));
  } finally {
    await outbound.close();
  }
}

/** The addresses under which Slack reaches this server for a workspace. */
export function addressesOf(publicUrl: string, id: string) {
  const base = `${publicUrl}/slack/${id}`;
  return {
    manifest_url: `${base}/manifest.yaml`,
    commands_url: `${base}/commands`,
    interactions_url: `${base}/interactions`,
  };
}

/** What a workspace is called in a sentence. */
export function named({ name, mode }: Pick<WorkspaceRow, 'name' | 'mode'>): string {
  return `"${name}" (${mode} mode)`;
}

export const HTTPS_HINT =
  'Slack calls https addresses only: set PUBLIC_URL to the name by which this server is reached, or /challenge and buttons do nothing.';
