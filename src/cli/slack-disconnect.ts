import { recordAudit } from '../challenges/store.ts';
import { countOpen, saveConnection } from '../slack/workspaces-store.ts';
import { UsageError, withTenant } from './command.ts';
import type { Command } from './command.ts';
import { ACTOR } from './desk.ts';
import { WORKSPACE_OPTION, named, workspaceOf } from './slack-options.ts';

export const slackDisconnect: Command = {
  name: 'slack disconnect',
  summary:
    'Forget a Slack workspace’s token and signing secret; messages of open challenges stay as they are',
  options: { id: WORKSPACE_OPTION },
  run: (config, values) =>
    withTenant(config, async ({ db }, tenant_id) => {
      const row = await workspaceOf({ db }, tenant_id, values);
      const { id, team_id, team_name, bot_user_id } = row;
      if (row.settings_sealed === null) throw new UsageError(`${named(row)} is not connected`);
      const at = new Date();
      const open = await db.transaction().execute(async (tx) => {
        // Whose it was is kept: messages stand there, and another workspace is not to be taken for it.
        await saveConnection(tx, id, { settings_sealed: null, team_id, team_name, bot_user_id }, null);
        await recordAudit(tx, {
          ...{ tenant_id, at, actor: ACTOR, action: 'slack_disconnected' },
          detail: JSON.stringify({ integration_id: id, team_id }),
        });
        return countOpen(tx, id, at);
      });
      return {
        json: { slack_instance_id: id, open_challenges: open },
        text: [
          `${named(row)} is disconnected, its token and signing secret are deleted. Nothing is asked there any more, and /challenge and buttons are refused.`,
          ...(open === 0
            ? []
            : [
                `${open} open challenge(s) were put to people there: links go on working, messages stay as they are, and nobody in Slack is told how they end.`,
              ]),
          'The app itself stays in Slack until it is removed there.',
        ].join('\n'),
      };
    }),
};
