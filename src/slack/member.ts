import { noneOfSlacks } from './error.ts';

/** A member of a workspace, as Slack describes them. */
export type Member = {
  id: string;
  email: string | null;
  language: 'en' | 'de';
  is_bot: boolean;
  deleted: boolean;
  /** belongs to another workspace, and is here by a shared channel */
  is_stranger: boolean;
};

const SLACKBOT = 'USLACKBOT';

/** As in users.info; what is missing is not so. */
type SlackUser = {
  id?: string;
  team_id?: string;
  is_bot?: boolean;
  deleted?: boolean;
  is_stranger?: boolean;
  locale?: string;
  enterprise_user?: { teams?: string[] };
  profile?: { email?: string };
};

/** A member from the workspace's point of view. Throws SlackError for what is none. */
export function memberOf(user: SlackUser = {}, teamId: string): Member {
  const { id, team_id = teamId, locale = '', profile } = user;
  if (!id) throw noneOfSlacks();
  const isHere = team_id === teamId || user.enterprise_user?.teams?.includes(teamId) === true;
  return {
    id,
    email: profile?.email || null,
    language: locale.startsWith('de') ? 'de' : 'en',
    is_bot: user.is_bot === true || id === SLACKBOT,
    deleted: user.deleted === true,
    is_stranger: user.is_stranger === true || !isHere,
  };
}
