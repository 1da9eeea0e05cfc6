import { recordAudit } from '../challenges/store.ts';
import type { Config } from '../config.ts';
import type { Store } from '../db/open.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { createClient } from '../slack/client.ts';
import type { Identity } from '../slack/client.ts';
import { SlackError } from '../slack/error.ts';
import { openWorkspace, secretsContext } from '../slack/workspace.ts';
import type { Secrets } from '../slack/workspace.ts';
import { listConnected, saveConnection } from '../slack/workspaces-store.ts';
import type { WorkspaceRow } from '../slack/workspaces-store.ts';
import { UsageError, withTenant } from './command.ts';
import type { Command, Values } from './command.ts';
import { ACTOR, printable } from './desk.ts';
import { enteredOf } from './provider-settings.ts';
import { missingScopes } from './slack-findings.ts';
import { HTTPS_HINT, WORKSPACE_OPTION, named, withHttp, workspaceOf } from './slack-options.ts';

const BOT_TOKEN = 'Bot User OAuth Token, xoxb-… (the app → OAuth & Permissions)';
const SIGNING_SECRET = 'Signing Secret (the app → Basic Information → App Credentials)';
const FIRST_TIME = '(required the first time)';

export const slackConnect: Command = {
  name: 'slack connect',
  summary:
    'Give a Slack workspace its app’s token and signing secret, or new ones; asks Slack whose they are',
  options: {
    id: WORKSPACE_OPTION,
    'bot-token': {
      type: 'string',
      value: 'TOKEN',
      help: `${BOT_TOKEN}; this, like the next, also as @FILE: the text of that file ${FIRST_TIME}`,
    },
    'signing-secret': { type: 'string', value: 'SECRET', help: `${SIGNING_SECRET} ${FIRST_TIME}` },
    replace: {
      type: 'boolean',
      default: false,
      help: 'Take it although it is of another app in the same workspace than the one before',
    },
  },
  run: (config, values) =>
    withTenant(config, async (store, tenantId) => {
      const row = await workspaceOf(store, tenantId, values);
      const secrets = readSecrets(store.sealer, row, values);
      const identity = await identityOf(config, store, row, secrets);
      await checkIdentity(store, row, identity, values.replace === true);
      await save(store, row, secrets, identity);
      const { team_id, team_name, user_id: bot_user_id, scopes } = identity;
      const missing = missingScopes(scopes ?? []);
      const notes = notesOf(config, row, scopes === null ? [] : missing);
      return {
        json: {
          ...{ slack_instance_id: row.id, team_id, team_name, bot_user_id },
          missing_scopes: scopes === null ? null : missing,
        },
        text: [
          `${named(row)} is connected to "${printable(team_name)}" (${team_id}).`,
          `Then try it: \`countersign slack test --id ${row.id}\``,
          ...notes,
        ].join('\n'),
      };
    }),
};

/** What was entered, else what was entered before: so one of the two can be replaced, and both be sealed anew. */
function readSecrets(sealer: Sealer, row: WorkspaceRow, values: Values): Secrets {
  const entered = {
    bot_token: enteredOf(values, 'bot_token', { help: BOT_TOKEN }),
    signing_secret: enteredOf(values, 'signing_secret', { help: SIGNING_SECRET }),
  };
  const { bot_token, signing_secret } = entered;
  if (bot_token !== undefined) checkToken(bot_token);
  if (signing_secret !== undefined && !/^[\x21-\x7e]{16,128}$/.test(signing_secret))
    throw new UsageError('--signing-secret must be 16 to 128 printable characters without spaces');
  if (bot_token !== undefined && signing_secret !== undefined) return { bot_token, signing_secret };
  const known = openWorkspace(sealer, row);
  if (known)
    return {
      bot_token: bot_token ?? known.bot_token,
      signing_secret: signing_secret ?? known.signing_secret,
    };
  const missing = [
    ...(bot_token === undefined ? ['--bot-token'] : []),
    ...(signing_secret === undefined ? ['--signing-secret'] : []),
  ];
  throw new UsageError(`${named(row)} is not connected: ${missing.join(', ')} missing`);
}

function checkToken(token: string): void {
  if (token.startsWith('xoxe'))
    throw new UsageError(
      '--bot-token ends after 12 hours, because token rotation is on in the app; create the app anew from the manifest, where it is off',
    );
  if (!/^xoxb-[\x21-\x7e]{1,500}$/.test(token))
    throw new UsageError(
      '--bot-token must be the Bot User OAuth Token, which begins with xoxb- (the app → OAuth & Permissions); no other token will do',
    );
}

function identityOf(
  config: Config,
  store: Store,
  row: WorkspaceRow,
  { bot_token }: Secrets,
): Promise<Identity> {
  return withHttp(config, store, (httpOf) =>
    createClient({ api_url: row.api_url, bot_token }, httpOf(row.mode)).identity(),
  ).catch((error: unknown) => {
    if (error instanceof SlackError && error.kind === 'refused')
      throw new UsageError(`--bot-token: ${printable(error.message)}; copy it again, nothing was changed`);
    throw error;
  });
}

/** Throws unless it is an app's token for one workspace: the one before, if there ever was one, and nobody else's here. */
async function checkIdentity(
  { db }: Store,
  row: WorkspaceRow,
  { team_id, team_name, user_id, is_bot }: Identity,
  mayReplace: boolean,
): Promise<void> {
  if (!is_bot)
    throw new UsageError('--bot-token is a person’s token; take the Bot User OAuth Token of the app');
  if (!team_id.startsWith('T'))
    throw new UsageError(
      `--bot-token is of no single workspace (${printable(team_id)}); install the app in one workspace, not in the whole organisation`,
    );
  const whose = `"${printable(team_name)}" (${printable(team_id)})`;
  // For good: what was kept for people of the one must never go to the other.
  if (row.team_id !== null && row.team_id !== team_id)
    throw new UsageError(
      `--bot-token is of another workspace, ${whose}: ${named(row)} is "${printable(row.team_name ?? '')}" (${row.team_id}) for good; add another with \`countersign slack add\``,
    );
  if (row.team_id !== null && row.bot_user_id !== user_id && !mayReplace)
    throw new UsageError(
      `--bot-token is of another app in ${whose} than the one that ${named(row)} was connected with, whose messages can then no longer be kept up to date: add --replace if you mean it`,
    );
  const twin = (await listConnected(db)).find(
    (other) => other.id !== row.id && other.team_id === team_id && other.bot_user_id === user_id,
  );
  if (twin)
    throw new UsageError(
      `--bot-token is of the app that ${twin.id} is connected with, and Slack sends an app’s buttons to one address only; create another app: \`countersign slack manifest --id ${row.id}\``,
    );
}

async function save(
  { db, sealer }: Store,
  row: WorkspaceRow,
  secrets: Secrets,
  { team_id, team_name, user_id: bot_user_id }: Identity,
): Promise<void> {
  const { id, tenant_id } = row;
  const at = new Date();
  const settings_sealed = sealer.seal(JSON.stringify(secrets), secretsContext(id));
  await db.transaction().execute(async (tx) => {
    await saveConnection(tx, id, { settings_sealed, team_id, team_name, bot_user_id }, at);
    await recordAudit(tx, {
      ...{ tenant_id, at, actor: ACTOR, action: 'slack_connected' },
      detail: JSON.stringify({ integration_id: id, team_id, bot_user_id }),
    });
  });
}

function notesOf({ publicUrl }: Config, row: WorkspaceRow, missing: string[]): string[] {
  const wasDisconnected = row.team_id !== null && row.settings_sealed === null;
  return [
    ...(missing.length === 0 ? [] : [`Note: the app lacks ${missing.join(', ')}; the test says what for.`]),
    ...(wasDisconnected
      ? [
          `What was given up meanwhile is sent by \`countersign delivery replay --integration ${row.id} --yes\``,
        ]
      : []),
    ...(publicUrl.startsWith('https:') ? [] : [HTTPS_HINT]),
  ];
}
