import { WebClient } from '@slack/web-api';
import type { Logger } from '@slack/web-api';
import { parseUrl } from '../kernel/address.ts';
import type { Outbound, Reach } from '../kernel/outbound.ts';
import { fetchThrough } from '../kernel/outbound-fetch.ts';
import type { View } from './cards.ts';
import { answered, limited, noneOfSlacks, slackErrorOf, SlackError, unreachable } from './error.ts';
import { memberOf } from './member.ts';
import type { Member } from './member.ts';
import type { Workspace } from './workspace.ts';

export type { Member } from './member.ts';

export type Http = { outbound: Outbound; reach: Reach };
/** Where a posted message stands. */
export type Place = { channel_id: string; ts: string };
/** What the token is for, and what it may do; scopes are null where Slack does not say. */
export type Identity = {
  team_id: string;
  team_name: string;
  user_id: string;
  /** false: it is a person's token */
  is_bot: boolean;
  scopes: string[] | null;
};

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 65_536;
/** What would stand there twice if it were done twice. */
const POST_METHOD = '/chat.postMessage';
const METADATA_TYPE = 'countersign_message';
/** Slack's clock and ours need not agree. */
const CLOCK_MS = 5 * 60_000;
const HISTORY = 100;

/** What this server asks of Slack; everything throws SlackError when it does not succeed. */
export function createClient(workspace: Pick<Workspace, 'api_url' | 'bot_token'>, http: Http) {
  const { api_url, bot_token } = workspace;
  const through = fetchThrough(http.outbound, http.reach);
  const client = new WebClient(bot_token, {
    slackApiUrl: `${api_url}/api/`,
    logger: SILENT,
    // Once: what is to be tried again is a delivery.
    retryConfig: { retries: 0 },
    allowAbsoluteUrls: false,
    async fetch(url, { method = 'GET', headers = {}, body } = {}) {
      const once = String(url).endsWith(POST_METHOD);
      const answer = await through(String(url), { method, headers, body, once });
      // Not left to the client, to which a 429 without Retry-After is nothing in particular.
      if (answer.status === 429) throw limited(Number(answer.headers.get('retry-after')));
      return answer;
    },
  });

  const memberById = async (user: string, teamId: string): Promise<Member | undefined> => {
    const said = await found(told(client.users.info({ user, include_locale: true })), UNKNOWN);
    return said && memberOf(said.user, teamId);
  };

  return {
    /** Whose token it is. */
    async identity(): Promise<Identity> {
      const said = await told(client.auth.test());
      const { team = '', bot_id, response_metadata } = said;
      const scopes = response_metadata?.scopes ?? null;
      const [team_id, user_id] = [given(said.team_id), given(said.user_id)];
      return { team_id, team_name: team, user_id, is_bot: bot_id !== undefined, scopes };
    },

    /** The member with this id; undefined when the workspace does not know it. */
    memberById,

    /** The member with this e-mail address; undefined when the workspace does not know it. */
    async memberByEmail(email: string, teamId: string): Promise<Member | undefined> {
      const said = await found(told(client.users.lookupByEmail({ email })), UNKNOWN);
      // Asked once more, because this answer does not tell the language.
      return said && memberById(given(said.user?.id), teamId);
    },

    /** Posts a message to a person or a channel; `id` finds it again. */
    async post(recipient: string, view: View, id: string): Promise<Place> {
      const metadata = { event_type: METADATA_TYPE, event_payload: { id } };
      const said = await told(client.chat.postMessage({ channel: recipient, ...view, ...PLAIN, metadata }));
      return { channel_id: given(said.channel), ts: given(said.ts) };
    },

    /** Rewrites a message; false when it is not there any more. */
    async update({ channel_id, ts }: Place, view: View): Promise<boolean> {
      const said = await found(
        told(client.chat.update({ channel: channel_id, ts, ...view, parse: 'none', link_names: false })),
        ['message_not_found', 'channel_not_found'],
      );
      return said !== undefined;
    },

    /** Where a message stands that may have been posted since then; undefined if it was not, or if the app may not look. */
    async findPosted(recipient: string, id: string, since: Date): Promise<Place | undefined> {
      const opened = isPerson(recipient)
        ? await told(client.conversations.open({ users: recipient }))
        : undefined;
      const channel = opened?.channel?.id ?? recipient;
      const oldest = String((since.getTime() - CLOCK_MS) / 1_000);
      const history = await found(
        told(client.conversations.history({ channel, oldest, limit: HISTORY, include_all_metadata: true })),
        ['missing_scope', 'not_in_channel', 'channel_not_found'],
      );
      const ours = history?.messages?.find(({ metadata }) => {
        const { id: named } = (metadata?.event_payload ?? {}) as { id?: unknown };
        return metadata?.event_type === METADATA_TYPE && named === id;
      });
      return ours?.ts === undefined ? undefined : { channel_id: channel, ts: ours.ts };
    },

    /** Answers a command or a press, so that only that person sees it; false when Slack takes no more answers to it. */
    async respond(url: string, text: string): Promise<boolean> {
      checkResponseUrl(api_url, url);
      const answer = await http.outbound
        .request({
          method: 'POST',
          url,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ response_type: 'ephemeral', replace_original: false, text }),
          reach: http.reach,
          once: true,
          ...{ timeoutMs: TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES },
        })
        .catch((error: unknown) => {
          throw unreachable(error);
        });
      const { status, headers } = answer;
      if (status === 429) throw limited(Number(headers['retry-after']));
      if (status >= 500) throw answered(status);
      return status >= 200 && status < 300;
    },

    /** Tells a person something in a message of its own. */
    async tell(user: string, text: string): Promise<void> {
      await told(client.chat.postMessage({ channel: user, text, ...PLAIN }));
    },
  };
}

export type Client = ReturnType<typeof createClient>;

/** Nothing in a message is looked for links, names or channels beyond what its blocks say. */
const PLAIN = { parse: 'none', link_names: false, unfurl_links: false, unfurl_media: false } as const;
const UNKNOWN = ['user_not_found', 'users_not_found', 'user_not_visible'];

const nothing = () => undefined;
const SILENT: Logger = {
  ...{ debug: nothing, info: nothing, warn: nothing, error: nothing },
  ...{ setLevel: nothing, setName: nothing, getLevel: () => 'error' as never },
};

async function told<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw slackErrorOf(error);
  }
}

/** Undefined where Slack says that there is no such thing. */
async function found<T>(call: Promise<T>, absent: readonly string[]): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof SlackError && error.kind === 'refused' && absent.includes(error.code))
      return undefined;
    throw error;
  }
}

/** What every answer of Slack's has. */
function given(value: string | undefined): string {
  if (!value) throw noneOfSlacks();
  return value;
}

function isPerson(recipient: string): boolean {
  return /^[UW]/.test(recipient);
}

/** Only Slack's own host is answered, whatever a request said. */
function checkResponseUrl(apiUrl: string, url: string): void {
  const [api, response] = [parseUrl(apiUrl), parseUrl(url)];
  const isSlack = response?.hostname === api?.hostname || response?.hostname === `hooks.${api?.hostname}`;
  // Another port is another program’s.
  const isThere = isSlack && response?.protocol === api?.protocol && response?.port === api?.port;
  if (!api || !isThere)
    throw new SlackError('refused', 'foreign_response_url', 'the response_url is none of Slack’s');
}
