import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { newId } from '../../src/kernel/id.ts';
import { MANIFEST_SCOPES } from '../../src/slack/scopes.ts';
import { openWorkspace } from '../../src/slack/workspace.ts';
import { findWorkspace } from '../../src/slack/workspaces-store.ts';
import { runCli } from '../support/cli.ts';
import { auditOf } from '../support/desk.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { connectSlack, startSlack, TEAM } from '../support/slack.ts';
import type { Slack } from '../support/slack.ts';
import { sendCommand } from '../support/slack-requests.ts';

let server: TestServer;
let slack: Slack;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-slack-'));
  [server, slack] = await Promise.all([startServer(), startSlack()]);
});
beforeEach(() => slack.intervene(() => undefined));
afterAll(async () => {
  await server.close();
  await slack.close();
  rmSync(folder, { recursive: true, force: true });
});

const cli = (...args: string[]) => runCli(args, server.settings);
const add = async (name: string) => {
  const made = await cli('slack', 'add', '--name', name, '--api-url', slack.url, '--json');
  return String(made.json.slack_instance_id);
};
const connect = (id: string, ...args: string[]) => cli('slack', 'connect', '--id', id, ...args);
const inFile = (name: string, text: string) => {
  const file = join(folder, name);
  writeFileSync(file, `${text}\n`);
  return `@${file}`;
};
const tokenFile = () => inFile('token', slack.botToken);
const secretFile = () => inFile('secret', slack.signingSecret);
/** Slack says from now on that the token is somebody else's. */
const sayIdentity = (facts: object) => {
  const identity = { team_id: TEAM, team: 'Acme', user_id: slack.bot, bot_id: 'B1' };
  slack.intervene((method) =>
    method === 'auth.test' ? { body: { ok: true, ...identity, ...facts } } : undefined,
  );
};
const forget = async (id: string) => {
  await cli('slack', 'disconnect', '--id', id);
};
const opened = async (id: string) => openWorkspace(server.sealer, (await findWorkspace(server.db, id))!);

test('a workspace set up by commands alone takes what Slack signs, until it is disconnected', async () => {
  const id = await add('By hand');
  await connect(id, '--bot-token', slack.botToken, '--signing-secret', slack.signingSecret);
  const type = (secret: string, text: string) => sendCommand(slack, { server, instance: id, secret }, text);
  await type(slack.signingSecret, `<@${slack.users.linus}> Password reset`).expect(200);
  await slack.waitFor('linus', (text) => text.includes('Password reset'), 'the card');
  await connect(id, '--signing-secret', 'another-secret-4711');
  await type(slack.signingSecret, '').expect(401);
  await type('another-secret-4711', '').expect(200);
  await forget(id);
  await type('another-secret-4711', '').expect(404);
});

describe('slack add', () => {
  test('says what to do at Slack, and its manifest has the addresses and scopes of this workspace', async () => {
    const env = { ...server.settings, ...HTTPS };
    const made = await runCli(['slack', 'add', '--name', 'Acme Slack', '--mode', 'live'], env);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const [, id = ''] = /"Acme Slack" \(live mode\): (\S+)/.exec(made.stdout) ?? [];
    expect(made.stdout).toContain(`${HTTPS.PUBLIC_URL}/slack/${id}/manifest.yaml`);
    expect(made.stdout).toContain('At https://api.slack.com/apps: Create New App → From a manifest');
    expect(made.stdout).toContain(`countersign slack connect --id ${id} `);
    expect(made.stdout).not.toContain('PUBLIC_URL');
    const printed = await runCli(['slack', 'manifest', '--id', id], env);
    expect(parse(printed.stdout)).toMatchObject({
      features: { slash_commands: [{ url: `${HTTPS.PUBLIC_URL}/slack/${id}/commands` }] },
      oauth_config: { scopes: { bot: MANIFEST_SCOPES } },
      settings: { interactivity: { request_url: `${HTTPS.PUBLIC_URL}/slack/${id}/interactions` } },
    });
    const json = await runCli(['slack', 'manifest', '--id', id, '--json'], env);
    expect(json.json).toMatchObject({ slack_instance_id: id, manifest: expect.stringContaining(id) });
  });

  test('says that Slack does not call a server without https', async () => {
    const { stdout } = await cli('slack', 'add', '--name', 'Local', '--api-url', 'https://slack-gov.com/');
    expect(stdout).toContain('At https://api.slack-gov.com/apps');
    expect(stdout).toContain('Slack calls https addresses only: set PUBLIC_URL');
  });

  test.each<[string, string[], RegExp]>([
    ['an empty name', ['--name', ' '], /--name must not be empty/],
    ['a name that would take over a terminal', ['--name', 'a\u001bb'], /--name must not contain control/],
    ['an address with a path', ['--name', 'x', '--api-url', 'https://slack.com/api/'], /without a path/],
    ['an address that is none', ['--name', 'x', '--api-url', 'slack.com'], /without a path/],
    [
      'an address within the network',
      ['--name', 'x', '--api-url', 'https://10.0.0.1'],
      /--api-url cannot be/,
    ],
    [
      'an address without TLS in live mode',
      ['--name', 'x', '--api-url', 'http://slack.com', '--mode', 'live'],
      /--api-url cannot be called/,
    ],
  ])('refuses %s, and adds nothing', async (_name, options, cure) => {
    const count = async () => (await server.db.selectFrom('slack_workspaces').selectAll().execute()).length;
    const before = await count();
    const ran = await cli('slack', 'add', ...options);
    expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(cure) });
    expect(await count()).toBe(before);
  });
});

describe('slack connect', () => {
  test('takes the secrets from files, seals them, and challenges reach people there at once', async () => {
    const id = await add('First');
    const ran = await connect(id, '--bot-token', tokenFile(), '--signing-secret', secretFile());
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toContain(`"First" (test mode) is connected to "Acme" (${TEAM}).`);
    expect(ran.stdout).toContain(`countersign slack test --id ${id}`);
    expect(ran.stdout).not.toContain(slack.botToken);
    const row = await findWorkspace(server.db, id);
    expect(JSON.stringify(row)).not.toContain(slack.botToken);
    expect(await opened(id)).toMatchObject({
      ...{ bot_token: slack.botToken, signing_secret: slack.signingSecret },
      ...{ team_id: TEAM, bot_user_id: slack.bot },
    });
    const [entry] = await auditOf(server.db, 'slack_connected');
    expect(entry).toMatchObject({ actor: 'cli', detail: { integration_id: id, team_id: TEAM } });
    await server.create({ integration_type: 'slack' });
    await slack.waitFor('ada', () => true, 'the card');
    await forget(id);
  });

  test('replaces one secret and keeps the other, and seals both anew when none is entered', async () => {
    const id = await add('Rotated');
    await connect(id, '--bot-token', slack.botToken, '--signing-secret', slack.signingSecret);
    const before = await findWorkspace(server.db, id);
    await connect(id, '--signing-secret', 'another-secret-4711');
    expect(await opened(id)).toMatchObject({
      ...{ bot_token: slack.botToken, signing_secret: 'another-secret-4711' },
    });
    const again = await connect(id);
    expect(again.code).toBe(0);
    const after = await findWorkspace(server.db, id);
    expect(after?.settings_sealed).not.toBe(before?.settings_sealed);
    expect(await opened(id)).toMatchObject({ signing_secret: 'another-secret-4711' });
    await forget(id);
  });

  test('of another workspace is refused for good: also with --replace, and after it was disconnected', async () => {
    const id = await add('Moved');
    await connect(id, '--bot-token', slack.botToken, '--signing-secret', slack.signingSecret);
    sayIdentity({ team_id: 'T0OTHER', team: 'Other' });
    const another = async (...more: string[]) => {
      const ran = await connect(id, '--bot-token', 'xoxb-other', ...more);
      expect(ran).toMatchObject({ code: 2, stdout: '' });
      expect(ran.stderr).toMatch(
        /of another workspace, "Other" \(T0OTHER\): "Moved" \(test mode\) is "Acme" \(T000000001\) for good; .*`countersign slack add`/,
      );
    };
    await another();
    await another('--replace');
    expect(await opened(id)).toMatchObject({ bot_token: slack.botToken, team_id: TEAM });
    await forget(id);
    await another('--replace', '--signing-secret', slack.signingSecret);
    expect(await findWorkspace(server.db, id)).toMatchObject({ settings_sealed: null, team_id: TEAM });
  });

  test('of another app in the same workspace takes --replace', async () => {
    const id = await add('New app');
    await connect(id, '--bot-token', slack.botToken, '--signing-secret', slack.signingSecret);
    sayIdentity({ user_id: 'U0OTHER' });
    const refused = await connect(id, '--bot-token', 'xoxb-other');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(/of another app in "Acme" \(T000000001\).*"New app".*--replace/);
    expect(await opened(id)).toMatchObject({ bot_token: slack.botToken, bot_user_id: slack.bot });
    const taken = await connect(id, '--bot-token', 'xoxb-other', '--replace', '--json');
    expect(taken).toMatchObject({ code: 0, json: { team_id: TEAM, missing_scopes: null } });
    expect(await opened(id)).toMatchObject({ bot_token: 'xoxb-other', bot_user_id: 'U0OTHER' });
    await forget(id);
  });

  test('names the scopes that are missing, and the test that says what for', async () => {
    const id = await add('Poor');
    slack.grant(MANIFEST_SCOPES.filter((scope) => scope !== 'im:history'));
    const args = ['--bot-token', slack.botToken, '--signing-secret', slack.signingSecret];
    const ran = await connect(id, ...args);
    slack.grant(MANIFEST_SCOPES);
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.stdout).toContain('Note: the app lacks im:history; the test says what for.');
    await forget(id);
  });

  test.each<[string, string, object, RegExp]>([
    ['a person’s token', 'xoxp-1', {}, /begins with xoxb-/],
    ['an app-level token', 'xapp-1', {}, /begins with xoxb-/],
    ['a token that will end', 'xoxe.xoxb-1-abc', {}, /ends after 12 hours, because token rotation/],
    ['a token that belongs to no app', 'xoxb-1', { bot_id: undefined }, /person’s token/],
    ['a token of a whole organisation', 'xoxb-1', { team_id: 'E0ORG' }, /of no single workspace \(E0ORG\)/],
    [
      'a token that Slack does not know',
      'xoxb-1',
      { ok: false, error: 'invalid_auth' },
      /--bot-token: Slack refuses: invalid_auth/,
    ],
  ])('refuses %s, and stays as it was', async (name, token, identity, cure) => {
    const id = await add(name);
    sayIdentity(identity);
    const ran = await connect(id, '--bot-token', token, '--signing-secret', slack.signingSecret);
    expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(cure) });
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
    expect(await findWorkspace(server.db, id)).toMatchObject({ settings_sealed: null, team_id: null });
  });

  test('refuses the app of another workspace here, whose buttons go to one address only', async () => {
    const twin = await connectSlack(server, slack, { name: 'Twin' });
    const id = await add('Second');
    const ran = await connect(id, '--bot-token', slack.botToken, '--signing-secret', slack.signingSecret);
    expect(ran.stderr).toMatch(new RegExp(`the app that ${twin} is connected with.*slack manifest --id`));
    await forget(twin);
  });

  test('says what is missing the first time, and what is no secret', async () => {
    const id = await add('Empty');
    expect((await connect(id)).stderr).toMatch(/not connected: --bot-token, --signing-secret missing/);
    expect((await connect(id, '--bot-token', 'xoxb-1')).stderr).toMatch(/: --signing-secret missing/);
    const odd = await connect(id, '--bot-token', 'xoxb-1', '--signing-secret', 'two words');
    expect(odd.stderr).toMatch(/--signing-secret must be/);
    const nofile = await connect(id, '--bot-token', '@/nowhere', '--signing-secret', 'x');
    expect(nofile.stderr).toMatch(/--bot-token: there is no file \/nowhere/);
  });

  test('changes nothing while Slack is away', async () => {
    const id = await add('Away');
    slack.intervene(() => ({ status: 503 }));
    const ran = await connect(id, '--bot-token', slack.botToken, '--signing-secret', slack.signingSecret);
    expect(ran).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('Slack answers 503') });
    expect(await findWorkspace(server.db, id)).toMatchObject({ settings_sealed: null });
  });
});

test('a workspace of another tenant is not there', async () => {
  const { tenant_id } = await server.integration({ newTenant: true });
  const foreign = await connectSlack(server, slack, { tenant_id, name: 'Foreign', team: 'T0FOREIGN' });
  for (const id of [foreign, newId()])
    for (const command of ['connect', 'disconnect', 'test', 'manifest']) {
      const ran = await cli('slack', command, '--id', id);
      expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining(`no Slack workspace ${id}`) });
    }
  expect((await cli('slack', 'list')).stdout).not.toContain('Foreign');
});

test('a channel is chosen by its id, and taken away', async () => {
  const id = await connectSlack(server, slack, { name: 'With channel' });
  const set = (channel: string) => cli('slack', 'set-channel', '--id', id, '--channel', channel);
  const channel = await slack.channel('security');
  expect((await set(channel)).stdout).toContain(`no person asks for go to the channel ${channel}.`);
  expect(await findWorkspace(server.db, id)).toMatchObject({ channel_id: channel });
  expect((await slack.seenIn(channel)).at(-1)?.text).toMatch(/come here/);
  expect((await set('CNOWHERE1')).stderr).toMatch(
    /nothing can be posted to CNOWHERE1: Slack refuses: channel_not_found/,
  );
  expect(await findWorkspace(server.db, id)).toMatchObject({ channel_id: channel });
  expect((await set('#security')).stderr).toMatch(/must be the id of a channel/);
  expect((await set('none')).stdout).toContain('go to nobody');
  expect(await findWorkspace(server.db, id)).toMatchObject({ channel_id: null });
  await forget(id);
});

test('the list shows all of them, and which one is used when none is named', async () => {
  const connected = await connectSlack(server, slack, { name: 'Connected', channel: 'C0123' });
  const disconnected = await connectSlack(server, slack, { name: 'Disconnected' });
  const { challenge_id } = await server.create({
    ...{ integration_type: 'slack', slack_instance_id: disconnected },
  });
  const ran = await cli('slack', 'disconnect', '--id', disconnected);
  expect(ran.stdout).toMatch(/^"Disconnected" \(test mode\) is disconnected, its token and signing secret/);
  expect(ran.stdout).toContain('1 open challenge(s) were put to people there');
  expect((await cli('slack', 'disconnect', '--id', disconnected)).stderr).toMatch(/is not connected/);
  const { stdout } = await cli('slack', 'list');
  const one = (name: string) => stdout.split('\n\n').find((text) => text.startsWith(name)) ?? '';
  expect(one('Connected')).toMatch(/^Connected, test mode \(default\)$/m);
  expect(one('Connected')).toContain(`id          ${connected}`);
  expect(one('Connected')).toMatch(/state +connected since 20/);
  expect(one('Connected')).toMatch(/workspace +Acme \(T000000001\)/);
  expect(one('Connected')).toMatch(/results to +C0123/);
  expect(one('Disconnected')).toMatch(/^Disconnected, test mode$/m);
  expect(one('Disconnected')).toMatch(/state +disconnected; see `countersign slack connect --help`/);
  expect(one('Disconnected')).toMatch(/workspace +Acme \(T000000001\)/);
  expect(one('Local')).toMatch(/state +not connected; see/);
  const json = await cli('slack', 'list', '--json');
  expect(json.stdout).not.toMatch(/xoxb|sealed/);
  expect(json.json.workspaces).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ slack_instance_id: connected, state: 'connected', is_default: true }),
      expect.objectContaining({ slack_instance_id: disconnected, state: 'disconnected', team_id: TEAM }),
    ]),
  );
  await forget(connected);
  const secrets = ['--bot-token', slack.botToken, '--signing-secret', slack.signingSecret];
  const again = await connect(disconnected, ...secrets);
  expect(again.stdout).toContain(`countersign delivery replay --integration ${disconnected} --yes`);
  expect((await server.read(challenge_id)).slack_instance_id).toBe(disconnected);
});
