import type { Db } from '../db/database.ts';
import { listWorkspaces } from '../slack/workspaces-store.ts';
import type { WorkspaceRow } from '../slack/workspaces-store.ts';
import { UsageError, withTenant } from './command.ts';
import type { Command } from './command.ts';
import type { Found } from './idp-findings.ts';
import { findingsOf } from './slack-findings.ts';
import { WORKSPACE_OPTION, named, withHttp, workspaceOf } from './slack-options.ts';

/** Spaces between columns. */
const GAP = 2;

export const slackTest: Command = {
  name: 'slack test',
  summary: 'Ask Slack whose a workspace’s token is and what it may do; says what to do about what is missing',
  options: {
    id: {
      ...WORKSPACE_OPTION,
      required: false,
      help: 'Only this workspace (default: all that are connected)',
    },
  },
  run: (config, values) =>
    withTenant(config, async (store, tenantId) => {
      const rows =
        values.id === undefined
          ? await listToTest(store.db, tenantId)
          : [await workspaceOf(store, tenantId, values)];
      const tested = await withHttp(config, store, async (httpOf) => {
        const found: { row: WorkspaceRow; findings: Found[] }[] = [];
        for (const row of rows) {
          const about = { publicUrl: config.publicUrl, http: httpOf(row.mode) };
          found.push({ row, findings: await findingsOf(store.sealer, row, about) });
        }
        return found;
      });
      const workspaces = tested.map(({ row: { id, name, mode }, findings }) => {
        const ok = findings.every(({ state }) => state !== 'fail');
        return { slack_instance_id: id, name, mode, ok, findings };
      });
      const ok = workspaces.every((one) => one.ok);
      return { json: { ok, workspaces }, text: tested.map(textOfOne).join('\n\n'), failed: !ok };
    }),
};

async function listToTest(db: Db, tenantId: string): Promise<WorkspaceRow[]> {
  const rows = await listWorkspaces(db, tenantId);
  const connected = rows.filter(({ settings_sealed }) => settings_sealed !== null);
  if (connected.length > 0) return connected;
  const next =
    rows.length === 0
      ? 'there is no Slack workspace; see `countersign slack add --help`'
      : 'no Slack workspace is connected; see `countersign slack connect --help`';
  throw new UsageError(next);
}

function textOfOne({ row, findings }: { row: WorkspaceRow; findings: Found[] }): string {
  const width = Math.max(...findings.map(({ name }) => name.length)) + GAP;
  const lines = findings.map(
    ({ state, name, detail }) => `  ${state.padEnd(5)}${name.padEnd(width)}${detail}`,
  );
  return [`${named(row)}, ${row.id}`, ...lines].join('\n');
}
