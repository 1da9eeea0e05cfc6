import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Integrations, SlackWorkspaces } from '../generated/database.ts';

/** A tenant's Slack workspace, connected or not. */
export type WorkspaceRow = Omit<Selectable<SlackWorkspaces>, 'integration_id'> &
  Pick<Selectable<Integrations>, 'id' | 'tenant_id' | 'mode' | 'name'>;
/** What connects a workspace: its secrets, sealed, and what Slack said of the token. */
export type Connection = Pick<
  Selectable<SlackWorkspaces>,
  'settings_sealed' | 'team_id' | 'team_name' | 'bot_user_id'
>;

/** The workspace with this id, whoever it belongs to. */
export function findWorkspace(db: Db, id: string): Promise<WorkspaceRow | undefined> {
  return select(db).where('integrations.id', '=', id).executeTakeFirst();
}

/** The tenant's workspaces, oldest first. */
export function listWorkspaces(db: Db, tenantId: string): Promise<WorkspaceRow[]> {
  return select(db).where('integrations.tenant_id', '=', tenantId).orderBy('integrations.id').execute();
}

/** All workspaces of all tenants that are connected. */
export function listConnected(db: Db): Promise<WorkspaceRow[]> {
  return select(db).where('settings_sealed', 'is not', null).orderBy('integrations.id').execute();
}

/** Makes an integration a Slack workspace that is yet to be connected. */
export async function insertWorkspace(db: Db, integration_id: string, api_url: string): Promise<void> {
  await db.insertInto('slack_workspaces').values({ integration_id, api_url }).execute();
}

/** Connects a workspace, or disconnects it (no settings). */
export async function saveConnection(
  db: Db,
  id: string,
  connection: Connection,
  at: Date | null,
): Promise<void> {
  await db
    .updateTable('slack_workspaces')
    .set({ ...connection, connected_at: at })
    .where('integration_id', '=', id)
    .execute();
}

/** Sets where results go that no person asked for; null: nowhere. */
export async function saveChannel(db: Db, id: string, channel_id: string | null): Promise<void> {
  await db.updateTable('slack_workspaces').set({ channel_id }).where('integration_id', '=', id).execute();
}

/** How many challenges that were put to people in a workspace have not ended. */
export async function countOpen(db: Db, id: string, now: Date): Promise<number> {
  const { open } = await db
    .selectFrom('challenges')
    .select((eb) => eb.fn.countAll().as('open'))
    .where('slack_instance_id', '=', id)
    .where('status', 'in', ['initiated', 'in-progress'])
    .where('expires_at', '>', now)
    .executeTakeFirstOrThrow();
  return Number(open);
}

function select(db: Db) {
  return db
    .selectFrom('slack_workspaces')
    .innerJoin('integrations', 'integrations.id', 'slack_workspaces.integration_id')
    .select([
      ...(['integrations.id', 'integrations.tenant_id', 'integrations.mode', 'integrations.name'] as const),
      ...(['api_url', 'settings_sealed', 'team_id', 'team_name', 'bot_user_id', 'channel_id'] as const),
      'connected_at',
    ]);
}
