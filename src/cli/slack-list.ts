import { isoTime } from '../challenges/present.ts';
import { listWorkspaces } from '../slack/workspaces-store.ts';
import type { WorkspaceRow } from '../slack/workspaces-store.ts';
import { withTenant } from './command.ts';
import type { Command } from './command.ts';
import { printable } from './desk.ts';
import { addressesOf } from './slack-options.ts';

type Shown = ReturnType<typeof present>;

export const slackList: Command = {
  name: 'slack list',
  summary: 'Show the Slack workspaces, connected or not',
  options: {},
  run: (config) =>
    withTenant(config, async ({ db }, tenantId) => {
      const rows = await listWorkspaces(db, tenantId);
      const firsts = new Set(
        (['test', 'live'] as const).map((mode) => rows.find((row) => row.mode === mode && isConnected(row))),
      );
      const workspaces = rows.map((row) => present(row, config.publicUrl, firsts.has(row)));
      const none = 'There is no Slack workspace; see `countersign slack add --help`.';
      return {
        json: { workspaces },
        text: workspaces.length > 0 ? workspaces.map(shown).join('\n\n') : none,
      };
    }),
};

function isConnected({ settings_sealed }: WorkspaceRow): boolean {
  return settings_sealed !== null;
}

function present(row: WorkspaceRow, publicUrl: string, is_default: boolean) {
  const { id, name, mode, team_id, team_name, bot_user_id, channel_id, api_url, connected_at } = row;
  return {
    ...{ slack_instance_id: id, name, mode, is_default },
    state: isConnected(row) ? 'connected' : team_id === null ? 'not_connected' : 'disconnected',
    ...{ team_id, team_name, bot_user_id, channel_id, api_url, connected_at: isoTime(connected_at) },
    manifest_url: addressesOf(publicUrl, id).manifest_url,
  };
}

function shown({ slack_instance_id: id, state, team_id, channel_id, ...rest }: Shown): string {
  const line = (label: string, text: string) => `  ${label.padEnd(11)} ${printable(text)}`;
  const { name, mode, is_default, team_name, connected_at, api_url, manifest_url } = rest;
  const cure = `see \`countersign slack connect --help\``;
  return [
    `${printable(name)}, ${mode} mode${is_default ? ' (default)' : ''}`,
    line('id', id),
    line('state', connected_at ? `connected since ${connected_at}` : `${state.replace('_', ' ')}; ${cure}`),
    ...(team_id === null ? [] : [line('workspace', `${team_name ?? ''} (${team_id})`)]),
    line('results to', channel_id ?? 'whoever asks; none if no person does'),
    line('API', api_url),
    line('manifest', manifest_url),
  ].join('\n');
}
