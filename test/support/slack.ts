import { WebClient } from '@slack/web-api';
import type { KnownBlock } from '@slack/web-api';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createEmulator } from 'emulate';
import { MANIFEST_SCOPES } from '../../src/slack/scopes.ts';
import { createWorkspace, secretsContext } from '../../src/slack/workspace.ts';
import { saveChannel, saveConnection } from '../../src/slack/workspaces-store.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import type { TestServer } from './server.ts';
import { until } from './until.ts';

export const TEAM = 'T000000001';
/** The people of the workspace, by name; each has an e-mail address of that name at example.com. */
const NAMES = ['ada', 'grace', 'linus', 'gone'] as const;
type Name = (typeof NAMES)[number];
/** A message as somebody in the workspace sees it. */
export type Seen = {
  ts: string;
  channel: string;
  text: string;
  blocks: KnownBlock[];
  edited: boolean;
  metadata: unknown;
};
/** What the gate says in Slack's place, or undefined to let the call through. `cut`, `late`: it is done, and the answer is lost, or does not come. */
export type Intervention = (
  method: string,
  count: number,
) => Answer | undefined | Promise<Answer | undefined>;
type Answer = {
  status?: number;
  headers?: Record<string, string>;
  body?: object;
  hang?: boolean;
  cut?: boolean;
  late?: boolean;
};
/** What only one person is shown. */
export type Ephemeral = { text: string; response_type: string };

/**
 * A Slack workspace over real HTTP: an emulator that keeps people, conversations and messages, behind a gate that counts calls,
 * can answer in Slack's place (429, 5xx, nothing at all), and adds what the emulator lacks: scopes of a token, and
 * people who are deactivated, bots, or of another company.
 */
export async function startSlack() {
  const emulator = await createEmulator({ service: 'slack', port: await freePort(), seed: seedOf() });
  const calls: string[] = [];
  const ephemerals: Ephemeral[] = [];
  const counts = new Map<string, number>();
  let intervene: Intervention = () => undefined;
  let respondWith: number = 200;
  let scopes: readonly string[] = MANIFEST_SCOPES;
  const about = new Map<string, object>();

  const gate = createServer((request, response) => {
    void handle(request, response).catch(() => response.destroy());
  });
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bytesOf(request);
    const path = request.url ?? '';
    if (path.startsWith('/response/')) {
      if (respondWith === 200) ephemerals.push(JSON.parse(body.toString()) as Ephemeral);
      if (respondWith === 0) return void response.destroy();
      response.writeHead(respondWith).end('ok');
      return;
    }
    const method = path.replace('/api/', '');
    calls.push(method);
    const count = (counts.get(method) ?? 0) + 1;
    counts.set(method, count);
    const instead = await intervene(method, count);
    if (instead?.hang) return;
    if (instead && !instead.cut && !instead.late) {
      const { status = 200, headers = {}, body: other = {} } = instead;
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(other));
      return;
    }
    const forward = await fetch(`${emulator.url}${path}`, {
      method: 'POST',
      headers: pick(request.headers, ['authorization', 'content-type']),
      body: new Uint8Array(body),
    });
    const said = (await forward.json()) as { ok: boolean; user?: { id: string } };
    // It was done, and nobody hears of it.
    if (instead?.cut) return void response.destroy();
    if (instead?.late) return;
    if (said.user?.id) Object.assign(said.user, about.get(said.user.id));
    response.writeHead(200, { 'content-type': 'application/json', 'x-oauth-scopes': scopes.join(',') });
    response.end(JSON.stringify(said));
  }
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(gate.address() as AddressInfo).port}`;

  const as = (token: string) => new WebClient(token, { slackApiUrl: `${emulator.url}/api/` });
  const known = (await as(BOT_TOKEN).users.list({})).members ?? [];
  const idOf = (name: Name) => known.find((one) => one.name === name)?.id ?? '';
  const users = Object.fromEntries(NAMES.map((name) => [name, idOf(name)])) as Record<Name, string>;
  const signingSecret = randomBytes(16).toString('hex');

  const slack = {
    url,
    users,
    bot: BOT_USER,
    botToken: BOT_TOKEN,
    signingSecret,
    calls,
    ephemerals,
    /** What answers in Slack's place from now on; counts calls of each method anew, from 1. */
    intervene(next: Intervention) {
      counts.clear();
      intervene = next;
    },
    /** The status that response_url answers from now on; 0: the connection ends. */
    respondWith(status: number) {
      respondWith = status;
    },
    /** The scopes that the token has from now on, as Slack tells them. */
    grant(granted: readonly string[]) {
      scopes = granted;
    },
    /** What Slack says of a person beside what the emulator knows. */
    describe(user: string, facts: object) {
      about.set(user, facts);
    },
    /** Every message that this person can read in a conversation with the app, oldest first. */
    async seenBy(name: Name): Promise<Seen[]> {
      const client = as(tokenOf(name));
      const { channels = [] } = await client.conversations.list({ types: 'im' });
      const all = await Promise.all(channels.map(({ id = '' }) => messagesOf(client, id)));
      return all.flat().sort((a, b) => (a.ts < b.ts ? -1 : 1));
    },
    /** Every message in a channel, oldest first. */
    seenIn: (channel: string) => messagesOf(as(BOT_TOKEN), channel),
    /** The channel with this name. */
    async channel(name: string): Promise<string> {
      const { channels = [] } = await as(BOT_TOKEN).conversations.list({ types: 'public_channel' });
      return channels.find((one) => one.name === name)?.id ?? '';
    },
    /** Waits until the person's newest message satisfies `is`. */
    waitFor: (name: Name, is: (text: string, seen: Seen) => boolean, what: string, timeoutMs = 10_000) =>
      until(
        async () => (await slack.seenBy(name)).findLast((seen) => is(wordsOf(seen), seen)),
        `${name} to see ${what}`,
        timeoutMs,
      ),
    async close() {
      gate.closeAllConnections();
      await new Promise((resolve) => gate.close(resolve));
      await emulator.close();
    },
  };
  return slack;
}

export type Slack = Awaited<ReturnType<typeof startSlack>>;
/** Connects the workspace to the server's first tenant, or another; returns the id of the integration. */
export async function connectSlack(
  server: Pick<TestServer, 'db' | 'sealer'>,
  slack: Slack,
  wish: { mode?: 'test' | 'live'; tenant_id?: string; name?: string; channel?: string; team?: string } = {},
): Promise<string> {
  const { db, sealer } = server;
  const { mode = 'test', name = 'Acme Slack', channel = null, team = TEAM } = wish;
  const tenant_id = wish.tenant_id ?? (await findFirstTenant(db))?.id ?? '';
  const id = await db
    .transaction()
    .execute((tx) => createWorkspace(tx, sealer, { tenant_id, name, mode, api_url: slack.url }));
  const secrets = { bot_token: slack.botToken, signing_secret: slack.signingSecret };
  const connection = {
    settings_sealed: sealer.seal(JSON.stringify(secrets), secretsContext(id)),
    ...{ team_id: team, team_name: 'Acme', bot_user_id: slack.bot },
  };
  await saveConnection(db, id, connection, new Date());
  if (channel) await saveChannel(db, id, channel);
  return id;
}

/** All words of a message: its blocks', and the text of notifications. */
export function wordsOf({ text, blocks }: Pick<Seen, 'text' | 'blocks'>): string {
  const words: string[] = [text];
  const gather = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(gather);
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value))
      if (typeof inner === 'string') {
        if (key === 'text') words.push(inner);
      } else gather(inner);
  };
  gather(blocks);
  return words.join('\n');
}

const BOT_USER = 'U0BOT00001';
const BOT_TOKEN = 'xoxb-test-bot';

function seedOf() {
  return {
    slack: {
      team: { name: 'Acme', domain: 'acme' },
      users: NAMES.map((name) => ({ name, email: `${name}@example.com`, real_name: name })),
      channels: [{ name: 'security' }],
      oauth_apps: [
        {
          ...{ client_id: 'client', client_secret: 'secret', name: 'Countersign', redirect_uris: [] },
          ...{ scopes: [...MANIFEST_SCOPES], bot_user_id: BOT_USER, bot_name: 'countersign' },
        },
      ],
      tokens: [
        { token: BOT_TOKEN, type: 'bot', user_id: BOT_USER, scopes: [...MANIFEST_SCOPES, ...EMULATED] },
        ...NAMES.map((name) => ({ token: tokenOf(name), user: name, scopes: READING })),
      ],
      strict_scopes: true,
    },
  };
}

const READING = ['im:read', 'im:history'];
/** Only for the tests' own look into channels. */
const EMULATED = ['channels:read', 'channels:history'];

function tokenOf(name: Name): string {
  return `xoxp-test-${name}`;
}

async function messagesOf(client: WebClient, channel: string): Promise<Seen[]> {
  const { messages = [] } = await client.conversations.history({ channel, include_all_metadata: true });
  const seen = messages.map(({ ts = '', text = '', blocks = [], edited, metadata }) => {
    const isEdited = edited !== undefined;
    return { ts, channel, text, edited: isEdited, metadata, blocks: blocks as KnownBlock[] };
  });
  return seen.reverse();
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function pick(headers: IncomingMessage['headers'], names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]])),
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
