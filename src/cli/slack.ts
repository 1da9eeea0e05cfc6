import type { Config } from '../config.ts';
import { recordAudit } from '../challenges/store.ts';
import type { Store } from '../db/open.ts';
import { createClient } from '../slack/client.ts';
import { SlackError } from '../slack/error.ts';
import { manifestOf } from '../slack/manifest.ts';
import { SLACK_API_URL, createWorkspace, openWorkspace } from '../slack/workspace.ts';
import { saveChannel } from '../slack/workspaces-store.ts';
import type { WorkspaceRow } from '../slack/workspaces-store.ts';
import { MODE_OPTION, UsageError, modeOf, textOf, withTenant } from './command.ts';
import type { Command, Values } from './command.ts';
import { ACTOR } from './desk.ts';
import { slackConnect } from './slack-connect.ts';
import { slackDisconnect } from './slack-disconnect.ts';
import { slackList } from './slack-list.ts';
import {
  HTTPS_HINT,
  WORKSPACE_OPTION,
  addressesOf,
  apiUrlOf,
  nameOf,
  named,
  withHttp,
  workspaceOf,
} from './slack-options.ts';
import { slackTest } from './slack-test.ts';

const GREETING = 'Results of identity checks that no person asked for come here.';

const add: Command = {
  name: 'slack add',
  summary: 'Add a Slack workspace; prints how to create its app, which then is connected',
  options: {
    name: { type: 'string', value: 'NAME', required: true, help: 'What you call it, such as "Acme Slack"' },
    mode: MODE_OPTION,
    'api-url': {
      type: 'string',
      value: 'URL',
      help: `Where Slack is, for GovSlack https://slack-gov.com (default: ${SLACK_API_URL})`,
    },
  },
  run: (config, values) =>
    withTenant(config, async (store, tenant_id) => {
      const { db, sealer } = store;
      const [name, mode] = [nameOf(values), modeOf(values)];
      const api_url = await apiUrlOf(config, store, mode, values);
      const id = await db
        .transaction()
        .execute((tx) => createWorkspace(tx, sealer, { tenant_id, name, mode, api_url }));
      const addresses = addressesOf(config.publicUrl, id);
      return {
        json: { slack_instance_id: id, name, mode, api_url, ...addresses },
        text: [
          `Slack workspace ${named({ name, mode })}: ${id}`,
          '',
          `1. At ${api_url.replace('://', '://api.')}/apps: Create New App → From a manifest → your workspace; as YAML, paste what this prints:`,
          `     countersign slack manifest --id ${id}`,
          `   (It is also at ${addresses.manifest_url}.)`,
          '2. Install App → Install to Workspace.',
          '3. Save the Bot User OAuth Token (OAuth & Permissions) and the Signing Secret (Basic Information) to files, then',
          `     countersign slack connect --id ${id} --bot-token @FILE --signing-secret @FILE`,
          ...(config.publicUrl.startsWith('https:') ? [] : ['', HTTPS_HINT]),
        ].join('\n'),
      };
    }),
};

const manifest: Command = {
  name: 'slack manifest',
  summary: 'Print the app manifest of a Slack workspace, with this server’s addresses in it',
  options: { id: WORKSPACE_OPTION },
  run: (config, values) =>
    withTenant(config, async (store, tenantId) => {
      const row = await workspaceOf(store, tenantId, values);
      const { manifest_url } = addressesOf(config.publicUrl, row.id);
      const yaml = manifestOf(config.publicUrl, row);
      return { json: { slack_instance_id: row.id, manifest_url, manifest: yaml }, text: yaml.trimEnd() };
    }),
};

const setChannel: Command = {
  name: 'slack set-channel',
  summary: 'Choose the channel for results of challenges that no person asked for',
  options: {
    id: WORKSPACE_OPTION,
    channel: {
      type: 'string',
      value: 'ID|none',
      required: true,
      help: 'The channel’s id, C… (its name in Slack → About → Channel ID), or none',
    },
  },
  run: (config, values) =>
    withTenant(config, async (store, tenant_id) => {
      const row = await workspaceOf(store, tenant_id, values);
      const channel_id = channelOf(values);
      if (channel_id !== null) await greet(config, store, row, channel_id);
      await store.db.transaction().execute(async (tx) => {
        await saveChannel(tx, row.id, channel_id);
        await recordAudit(tx, {
          ...{ tenant_id, at: new Date(), actor: ACTOR, action: 'slack_channel_set' },
          detail: JSON.stringify({ integration_id: row.id, channel: channel_id }),
        });
      });
      const where = channel_id === null ? 'to nobody' : `to the channel ${channel_id}`;
      return {
        json: { slack_instance_id: row.id, channel_id },
        text: [
          `Results of new challenges in ${named(row)} that no person asks for go ${where}.`,
          ...(channel_id === null ? [] : ['A line there says so.']),
        ].join('\n'),
      };
    }),
};

/** Slack workspaces: their app, their secrets, and how they are. */
export const slackCommands: Command[] = [
  add,
  manifest,
  slackConnect,
  setChannel,
  slackTest,
  slackList,
  slackDisconnect,
];

/** Posts a line there, so that a channel that does not take results is found now and not with the first result. */
async function greet(config: Config, store: Store, row: WorkspaceRow, channel: string): Promise<void> {
  const workspace = openWorkspace(store.sealer, row);
  if (!workspace)
    throw new UsageError(`${named(row)} is not connected; see \`countersign slack connect --help\``);
  try {
    await withHttp(config, store, (httpOf) =>
      createClient(workspace, httpOf(row.mode)).tell(channel, GREETING),
    );
  } catch (error) {
    if (!(error instanceof SlackError)) throw error;
    throw new UsageError(
      `nothing can be posted to ${channel}: ${error.message}; into a private one, invite the app first (/invite)`,
    );
  }
}

function channelOf(values: Values): string | null {
  const text = textOf(values, 'channel') ?? '';
  if (text === 'none') return null;
  if (/^[CG][A-Z0-9]{2,}$/.test(text)) return text;
  throw new UsageError('--channel must be the id of a channel, such as C024BE91L, and not its name; or none');
}
