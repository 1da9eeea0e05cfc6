import { recordAudit } from '../challenges/store.ts';
import { manifestOf } from '../slack/manifest.ts';
import { SLACK_API_URL, createWorkspace } from '../slack/workspace.ts';
import { saveChannel } from '../slack/workspaces-store.ts';
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
  workspaceOf,
} from './slack-options.ts';
import { slackTest } from './slack-test.ts';

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
          `1. At ${api_url.replace('://', '://api.')}/apps: Create New App → From a manifest → your workspace; as YAML, paste`,
          `     ${addresses.manifest_url}`,
          `   (\`countersign slack manifest --id ${id}\` prints it, too).`,
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
          ...(channel_id === null ? [] : ['If it is a private one, invite the app there first (/invite).']),
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

function channelOf(values: Values): string | null {
  const text = textOf(values, 'channel') ?? '';
  if (text === 'none') return null;
  if (/^[CG][A-Z0-9]{2,}$/.test(text)) return text;
  throw new UsageError('--channel must be the id of a channel, such as C024BE91L, and not its name; or none');
}
