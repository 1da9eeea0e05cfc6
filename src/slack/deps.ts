import type { CreateDeps } from '../challenges/create.ts';
import type { Claimed } from '../deliveries/claim-store.ts';
import type { Outbound, Reach } from '../kernel/outbound.ts';
import { createClient } from './client.ts';
import type { Client } from './client.ts';
import { SlackError } from './error.ts';
import { openWorkspace } from './workspace.ts';
import type { Workspace } from './workspace.ts';
import { findWorkspace } from './workspaces-store.ts';

/** What all that is done in Slack needs. */
export type SlackDeps = CreateDeps & {
  outbound: Outbound;
  reachOf: (mode: 'test' | 'live') => Reach;
  wake: (endpointIds: readonly string[]) => void;
};
/** Something to be done in Slack, as the delivery engine hands it out. */
export type Job = Claimed & { body: string };
/** What was done, in a few words; `called` is false when Slack did not have to be asked. */
export type Done = { called: boolean; note: string };

/** The workspace as it is connected now. Throws a refusal when it is not. */
export async function openConnected({ db, sealer }: SlackDeps, id: string): Promise<Workspace> {
  const row = await findWorkspace(db, id);
  const workspace = row && openWorkspace(sealer, row);
  if (workspace) return workspace;
  const cure = 'see `countersign slack connect --help`';
  throw new SlackError('refused', 'not_connected', `the workspace is not connected; ${cure}`);
}

/** The way to the workspace's API, as its mode may go. */
export function clientOf({ outbound, reachOf }: SlackDeps, workspace: Workspace): Client {
  return createClient(workspace, { outbound, reach: reachOf(workspace.mode) });
}
