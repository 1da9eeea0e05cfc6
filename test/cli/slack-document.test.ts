import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SCOPES } from '../../src/slack/scopes.ts';
import { runCli } from '../support/cli.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { connectSlack, startSlack } from '../support/slack.ts';
import type { Slack } from '../support/slack.ts';

const page = readFileSync(new URL('../../docs/slack.md', import.meta.url), 'utf8');

let server: TestServer;
let slack: Slack;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-document-'));
  [server, slack] = await Promise.all([startServer({ role: 'api', env: HTTPS }), startSlack()]);
});
afterAll(async () => {
  await server.close();
  await slack.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The lines of the page's blocks of one language, in their order. */
const linesOf = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, 'g'))].flatMap(([, block = '']) =>
    block.split('\n'),
  );
const cli = (command: string) => runCli((command.match(/\S+/g) ?? []).slice(1), server.settings);

test('every command of the page runs as it stands there', async () => {
  const commands = linesOf('sh').filter((line) => line.startsWith('countersign '));
  expect(commands.length).toBeGreaterThan(15);
  const at = (name: string) => join(folder, name);
  writeFileSync(at('token'), `${slack.botToken}\n`);
  writeFileSync(at('secret'), `${slack.signingSecret}\n`);
  const values: { [placeholder: string]: string } = {
    ...{ 'token file': at('token'), 'secret file': at('secret') },
    'channel id': await slack.channel('security'),
  };
  for (const command of commands) {
    const filled = command.replace(/<([^>]+)>/g, (_, name: string) => values[name] ?? 'value');
    const ran = await cli(filled);
    expect([filled, ran.code, ran.stderr]).toEqual([filled, 0, '']);
    if (command.includes(' slack add ')) values.id ??= await moved(ran.stdout);
    if (command.includes(' slack test ')) values['delivery id'] = await deliveryOf(values.id ?? '');
  }
});

/** The workspace that was just added, moved to where the emulated one is; its id. */
async function moved(printed: string): Promise<string> {
  const [, id = ''] = /mode\): (\S+)/.exec(printed) ?? [];
  await server.db
    .updateTable('slack_workspaces')
    .set({ api_url: slack.url })
    .where('integration_id', '=', id)
    .execute();
  return id;
}

async function deliveryOf(integration_id: string): Promise<string> {
  await server.create({ integration_type: 'slack' });
  const { id } = await server.db
    .selectFrom('deliveries')
    .select('id')
    .where('integration_id', '=', integration_id)
    .limit(1)
    .executeTakeFirstOrThrow();
  return id;
}

test('every request of the page creates a challenge in Slack', async () => {
  const id = await connectSlack(server, slack, { channel: await slack.channel('security') });
  const inCurl = [...page.matchAll(/-d '(\{.*\})'/g)].map(([, body = '']) => body);
  const bodies = [...inCurl, ...linesOf('json').filter((line) => line.startsWith('{'))];
  expect(bodies.length).toBeGreaterThan(8);
  for (const body of bodies) {
    const filled = body
      .replaceAll('<id>', id)
      .replaceAll('U01234ABCD', slack.users.grace)
      .replaceAll('U05678EFGH', slack.users.ada);
    const { challenge_id } = await server.create(JSON.parse(filled) as Record<string, unknown>);
    const { slack_instance_id, target_user_id, requester_id } = await server.read(challenge_id);
    expect([filled, slack_instance_id, target_user_id]).toEqual([filled, id, slack.users.ada]);
    const asker = /requester_email|slack_user_id/.test(body) ? slack.users.grace : slack.bot;
    expect([filled, requester_id]).toEqual([filled, asker]);
  }
});

test('the page says what each scope is for, in the words of the test', () => {
  const rows = [...page.matchAll(/^\| `([\w:.]+)` +\| ([^|;]+?)(?:;[^|]*)? *\|$/gm)];
  const told = Object.fromEntries(rows.map(([, scope = '', what = '']) => [scope, what.replaceAll('`', '')]));
  expect(told).toEqual(SCOPES);
});

test('links within the page lead somewhere', () => {
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
  const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
  expect(links.length).toBeGreaterThan(3);
  for (const anchor of links) expect(headings).toContain(anchor);
});
