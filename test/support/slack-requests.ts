import { randomBytes } from 'node:crypto';
import { hmacHex } from '../../src/kernel/crypto.ts';
import type { TestServer } from './server.ts';
import { TEAM } from './slack.ts';
import type { Seen, Slack } from './slack.ts';

/** Which server and workspace, and how the request is signed, if not as Slack would. */
export type At = {
  server: Pick<TestServer, 'request'>;
  instance: string;
  secret: string;
  /** Unix seconds */
  timestamp?: number;
  signature?: string;
};
export type Press = {
  user?: string;
  team?: string;
  text?: string;
  actionTs?: string;
  /** the same for what Slack sends again */
  trigger?: string;
  /** replaces what the button carries */
  value?: string;
};

/** Sends `/challenge <text>` as Slack does, from grace unless `changes` say otherwise. */
export function sendCommand(slack: Slack, at: At, text: string, changes: Record<string, string> = {}) {
  const body = new URLSearchParams({ ...commandOf(slack, text), ...changes }).toString();
  return post(at, 'commands', body);
}

/** Presses a button in a card, as Slack tells of it; ada presses unless `more` says otherwise. */
export function press(slack: Slack, at: At, seen: Seen, action: string, more: Press = {}) {
  const payload = JSON.stringify(pressOf(slack, seen, action, more));
  return post(at, 'interactions', new URLSearchParams({ payload }).toString());
}

/** The button of a message with this action, if there is one. */
export function buttonOf({ blocks }: Pick<Seen, 'blocks'>, action: string) {
  const elements = blocks.flatMap((block) => (block.type === 'actions' ? block.elements : []));
  return elements.find((one) => 'action_id' in one && one.action_id === action) as
    { value?: string; url?: string; style?: string; confirm?: unknown } | undefined;
}

/** A signature by the algorithm that Slack documents (Verifying requests from Slack): v0. */
export function signatureOf(secret: string, timestamp: number, body: string): string {
  return `v0=${hmacHex(secret, `v0:${timestamp}:${body}`)}`;
}

function commandOf(slack: Slack, text: string): Record<string, string> {
  return {
    ...{ token: 'old', team_id: TEAM, team_domain: 'acme', channel_id: 'C01', channel_name: 'general' },
    ...{ user_id: slack.users.grace, user_name: 'grace', command: '/challenge', text },
    ...{ response_url: `${slack.url}/response/${newTrigger()}`, trigger_id: newTrigger(), api_app_id: 'A01' },
  };
}

function pressOf(slack: Slack, seen: Seen, action: string, more: Press) {
  const button = buttonOf(seen, action);
  const { user = slack.users.ada, team = TEAM, text, actionTs = String(Date.now() / 1_000) } = more;
  const trigger_id = more.trigger ?? newTrigger();
  const input = seen.blocks.find((block) => block.type === 'input');
  const typed = { type: 'plain_text_input', value: text ?? null };
  const inputId =
    input && 'element' in input ? (input.element as { action_id?: string }).action_id : undefined;
  return {
    type: 'block_actions',
    user: { id: user, username: 'someone', team_id: team },
    ...{ team: { id: team, domain: 'acme' }, api_app_id: 'A01', token: 'old', trigger_id },
    container: { type: 'message', message_ts: seen.ts, channel_id: seen.channel, is_ephemeral: false },
    ...{ channel: { id: seen.channel, name: 'directmessage' }, message: { ts: seen.ts, text: seen.text } },
    state: { values: input?.block_id && inputId ? { [input.block_id]: { [inputId]: typed } } : {} },
    response_url: `${slack.url}/response/${newTrigger()}`,
    actions: [
      {
        ...{ type: 'button', action_id: action, block_id: 'buttons', action_ts: actionTs },
        ...{ value: more.value ?? button?.value, text: { type: 'plain_text', text: action } },
      },
    ],
  };
}

function newTrigger(): string {
  return `${Date.now()}.${randomBytes(8).toString('hex')}`;
}

function post(
  { server, instance, secret, timestamp = Math.floor(Date.now() / 1_000), signature }: At,
  path: string,
  body: string,
) {
  return server.request
    .post(`/slack/${instance}/${path}`)
    .type('application/x-www-form-urlencoded')
    .set('X-Slack-Request-Timestamp', String(timestamp))
    .set('X-Slack-Signature', signature ?? signatureOf(secret, timestamp, body))
    .send(body);
}
