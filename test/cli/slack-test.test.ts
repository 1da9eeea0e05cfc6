import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createSealer } from '../../src/kernel/crypto.ts';
import { MANIFEST_SCOPES, SCOPES } from '../../src/slack/scopes.ts';
import { insertTenant } from '../../src/tenants/store.ts';
import { runCli } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { HTTPS, testEnv } from '../support/server.ts';
import { connectSlack, startSlack, TEAM } from '../support/slack.ts';
import type { Slack } from '../support/slack.ts';

const KEY = randomBytes(32);

let database: TestDatabase;
let slack: Slack;
let env: Record<string, string>;
let id: string;
beforeAll(async () => {
  [database, slack] = await Promise.all([createDatabase(), startSlack()]);
  env = testEnv(database.url, undefined, KEY, HTTPS);
  await insertTenant(database.db, 'Acme');
});
beforeEach(() => {
  slack.intervene(() => undefined);
  slack.grant(MANIFEST_SCOPES);
});
afterAll(async () => {
  await slack.close();
  await database.close();
});

const connected = (wish: Parameters<typeof connectSlack>[2] = {}) =>
  connectSlack({ db: database.db, sealer: createSealer([KEY]) }, slack, wish);
const tested = (...args: string[]) => runCli(['slack', 'test', ...args], env);
const doctorOn = async (name: string, settings = env) => {
  const { code, json } = await runCli(['doctor', '--json'], settings);
  const { checks } = json as { checks: { name: string; state: string; detail: string }[] };
  return { code, ...checks.find((check) => check.name === name) };
};

test('without a workspace the test says how to add one, and doctor is content', async () => {
  expect(await tested()).toMatchObject({ code: 2, stderr: expect.stringContaining('slack add --help') });
  expect(await doctorOn('slack')).toMatchObject({
    code: 0,
    state: 'ok',
    detail: 'no workspace is connected',
  });
});

test('a workspace that is right is found right, and doctor counts what the key opens', async () => {
  id = await connected();
  const ran = await tested();
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  expect(ran.stdout).toMatch(new RegExp(`^"Acme Slack" \\(test mode\\), ${id}$`, 'm'));
  expect(ran.stdout).toMatch(/^ {2}ok +token +Of the app in "Acme" \(T000000001\)\.$/m);
  expect(ran.stdout).toMatch(/^ {2}ok +scopes /m);
  expect(ran.stdout).not.toContain(slack.botToken);
  expect(await doctorOn('slack')).toMatchObject({
    code: 0,
    state: 'ok',
    detail: expect.stringMatching(/1 workspace/),
  });
  expect(await doctorOn('encryption')).toMatchObject({
    detail: expect.stringMatching(/1 Slack workspace\(s\)/),
  });
});

test('each missing scope is named with what it is for, then the cure, and doctor fails', async () => {
  slack.grant(MANIFEST_SCOPES.filter((scope) => !['chat:write', 'users:read.email'].includes(scope)));
  const ran = await tested('--id', id);
  expect(ran.code).toBe(1);
  const wrong = ran.stdout.split('\n').filter((line) => line.startsWith('  fail'));
  expect(wrong).toEqual([
    expect.stringMatching(new RegExp(`chat:write +Missing; it is needed ${SCOPES['chat:write']}\\.$`)),
    expect.stringMatching(/users:read\.email +Missing; it is needed to find people by their e-mail/),
    expect.stringMatching(/scopes +Add what is missing .* then reinstall the app; the token stays\.$/),
  ]);
  expect(await doctorOn('slack')).toMatchObject({
    ...{ code: 1, state: 'fail' },
    detail: expect.stringMatching(
      /^"Acme Slack" \(test mode\): chat:write: Missing.*\(and 2 more\); see `countersign slack test --id/,
    ),
  });
});

test.each<[string, object, string, RegExp]>([
  ['a token that was revoked', { ok: false, error: 'token_revoked' }, 'fail', /install the app again, then/],
  ['a refusal for another reason', { ok: false, error: 'team_access_not_granted' }, 'fail', /auth\.test/],
  [
    'a token of another workspace',
    { ok: true, team_id: 'T0OTHER', team: 'Other\u001b[31m', user_id: 'U1', bot_id: 'B1' },
    'fail',
    /^Of U1 in "Other \[31m" \(T0OTHER\), and it was connected as U0BOT00001 of T000000001; enter a token of T000000001 .*slack add/,
  ],
  [
    'a token of another app',
    { ok: true, team_id: 'T000000001', team: 'Acme', user_id: 'U1', bot_id: 'B1' },
    'fail',
    /^Of U1 in "Acme" \(T000000001\), and it was connected as U0BOT00001 of T000000001; .* --replace/,
  ],
])('%s is told, with the cure', async (_name, body, state, detail) => {
  slack.intervene(() => ({ body }));
  const ran = await tested('--id', id, '--json');
  expect(ran.code).toBe(1);
  expect(ran.json.ok).toBe(false);
  const [one] = ran.json.workspaces as { findings: { name: string }[] }[];
  expect(one?.findings).toContainEqual({ state, name: 'token', detail: expect.stringMatching(detail) });
});

test('an outage fails, being asked to wait does not, and scopes that Slack does not tell are no claim', async () => {
  slack.intervene(() => ({ status: 502 }));
  const away = await tested();
  expect(away).toMatchObject({ code: 1, stdout: expect.stringMatching(/Slack answers 502; try again/) });
  slack.intervene(() => ({ status: 429, headers: { 'retry-after': '7' } }));
  const busy = await tested();
  expect(busy).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/warn +token +Slack asks to wait 7 s/),
  });
  const body = { ok: true, team_id: TEAM, team: 'Acme', user_id: slack.bot, bot_id: 'B1' };
  slack.intervene(() => ({ body }));
  const silent = await tested();
  expect(silent).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/warn +scopes +Slack does not say/),
  });
});

test('a server without https is told that Slack does not call it, by doctor too', async () => {
  const local = testEnv(database.url, undefined, KEY);
  const ran = await runCli(['slack', 'test'], local);
  expect(ran).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/warn +public url +Slack calls https/),
  });
  expect(await doctorOn('slack', local)).toMatchObject({
    code: 0,
    state: 'warn',
    detail: expect.stringMatching(/set PUBLIC_URL/),
  });
});

test('secrets that the key does not open are named with the cure, and all workspaces are tested', async () => {
  const other = testEnv(database.url, undefined, randomBytes(32), HTTPS);
  await runCli(['slack', 'add', '--name', 'Not yet', '--api-url', slack.url], env);
  const ran = await runCli(['slack', 'test'], other);
  expect(ran.code).toBe(1);
  expect(ran.stdout).toMatch(new RegExp(`Its secrets do not open \\(.*slack connect --id ${id}`));
  // What was never connected is nobody's trouble, unless it is asked about.
  expect(ran.stdout).not.toContain('Not yet');
  expect(await doctorOn('slack', other)).toMatchObject({
    code: 1,
    state: 'fail',
    detail: expect.stringMatching(/do not open/),
  });
});
