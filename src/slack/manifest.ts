import { stringify } from 'yaml';
import { MANIFEST_SCOPES } from './scopes.ts';

const NAME = 'Countersign';

/** The manifest to create a workspace's Slack app from: this server's addresses for it, and the scopes it needs. */
export function manifestOf(publicUrl: string, { id, mode }: { id: string; mode: 'test' | 'live' }): string {
  const name = mode === 'live' ? NAME : `${NAME} (test)`;
  const base = `${publicUrl}/slack/${id}`;
  return stringify({
    display_information: { name, description: 'Asks people to confirm that it is them' },
    features: {
      // Without the tab Slack refuses direct messages from the app (messages_tab_disabled). Nobody reads what is written there.
      app_home: { home_tab_enabled: false, messages_tab_enabled: true, messages_tab_read_only_enabled: true },
      bot_user: { display_name: name, always_online: false },
      slash_commands: [
        {
          command: '/challenge',
          url: `${base}/commands`,
          description: 'Ask a person to confirm that it is them',
          usage_hint: '@username [reason]',
          // So that a mention comes with the person's id, and not with a name.
          should_escape: true,
        },
      ],
    },
    oauth_config: { scopes: { bot: MANIFEST_SCOPES } },
    settings: {
      interactivity: { is_enabled: true, request_url: `${base}/interactions` },
      ...{ org_deploy_enabled: false, socket_mode_enabled: false, token_rotation_enabled: false },
    },
  });
}
