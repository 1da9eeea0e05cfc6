import type { Db } from '../db/database.ts';
import { newWebhookSecret } from '../kernel/crypto.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { addCallbackSecret } from '../tenants/keys.ts';
import { insertIntegration } from '../tenants/store.ts';
import { insertWorkspace } from './workspaces-store.ts';
import type { WorkspaceRow } from './workspaces-store.ts';

/** What the operator enters: from the app's pages "OAuth & Permissions" and "Basic Information". */
export type Secrets = { bot_token: string; signing_secret: string };
/** A connected workspace with its secrets unsealed. */
export type Workspace = Pick<
  WorkspaceRow,
  'id' | 'tenant_id' | 'mode' | 'name' | 'api_url' | 'team_name' | 'channel_id'
> &
  Secrets & { team_id: string; bot_user_id: string };

export const SLACK_API_URL = 'https://slack.com';
/**
 * Waits before the 2nd, 3rd, ... attempt of what is done in Slack, in seconds: soon at first, because a person waits, and
 * for more than a day, because whoever asked must hear of the end.
 */
const RETRY_WAITS_S = [
  ...[2, 5, 10, 30, 60, 120, 300, 600, 1_800],
  ...[3_600, 7_200, 14_400, 28_800, 57_600],
];

/** Where a workspace's secrets belong, so that a sealed value copied to another row does not open. */
export function secretsContext(id: string): string {
  return `slack_workspaces:${id}`;
}

/** Opens a workspace; undefined if it is not connected. Throws when no key of the sealer opens it. */
export function openWorkspace(sealer: Sealer, row: WorkspaceRow): Workspace | undefined {
  const { settings_sealed, team_id, bot_user_id, connected_at: _, ...rest } = row;
  if (settings_sealed === null || team_id === null || bot_user_id === null) return undefined;
  const secrets = JSON.parse(sealer.unseal(settings_sealed, secretsContext(row.id))) as Secrets;
  return { ...rest, team_id, bot_user_id, ...secrets };
}

/** Adds a Slack integration that is yet to be connected, within the caller's transaction; returns its id. */
export async function createWorkspace(
  tx: Db,
  sealer: Sealer,
  wish: { tenant_id: string; name: string; mode: 'test' | 'live'; api_url: string },
): Promise<string> {
  const { api_url, ...named } = wish;
  const id = await insertIntegration(tx, {
    ...{ ...named, kind: 'slack', callback_url: null },
    ...{ in_flight_cap: 1, retry_waits_s: RETRY_WAITS_S },
  });
  // For callbacks of challenges that are created with a key of its own.
  await addCallbackSecret(tx, sealer, id, newWebhookSecret());
  await insertWorkspace(tx, id, api_url);
  return id;
}
