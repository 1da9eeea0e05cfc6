import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runCli } from '../support/cli.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { connectSlack, startSlack } from '../support/slack.ts';
import type { Slack } from '../support/slack.ts';
import { until } from '../support/until.ts';

let server: TestServer;
let slack: Slack;
let id: string;
beforeAll(async () => {
  [server, slack] = await Promise.all([startServer(), startSlack()]);
  id = await connectSlack(server, slack);
});
afterAll(async () => {
  await server.close();
  await slack.close();
});

const cli = (...args: string[]) => runCli(args, server.settings);

test('the list of integrations says which one is a Slack workspace', async () => {
  const { stdout } = await cli('integration', 'list');
  expect(stdout).toMatch(new RegExp(`^${id} {2}test {2}Acme Slack {2}\\(Slack: see .*slack list.*\\)$`, 'm'));
  expect(stdout).toMatch(/^\S+ {2}test {2}First steps$/m);
  const { integrations } = (await cli('integration', 'list', '--json')).json;
  expect(integrations).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ integration_id: id, kind: 'slack', key_prefixes: [] }),
      expect.objectContaining({ name: 'First steps', kind: 'webhook' }),
    ]),
  );
});

test('calls to Slack stay one after another, and all else can be set as for any integration', async () => {
  for (const cap of ['5', 'default']) {
    const ran = await cli('integration', 'set', '--integration', id, '--in-flight-cap', cap);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toMatch(/--in-flight-cap cannot be changed for a Slack workspace: one call follows/);
  }
  const ran = await cli('integration', 'set', '--integration', id, '--retry-schedule', '3s,9s', '--json');
  expect(ran).toMatchObject({ code: 0, json: { retry_schedule: '3s,9s', in_flight_cap: 1 } });
});

test('a workspace gets its first key by rotating, and a callback secret like any integration', async () => {
  const first = await cli('key', 'rotate', '--integration', id);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(first.stdout).toContain('No key of it was valid before.');
  const [, key = ''] = /(cs_test_\S+)/.exec(first.stdout) ?? [];
  const created = await server.create(
    { integration_type: 'slack', target_user_email: 'linus@example.com' },
    key,
  );
  expect((await server.read(created.challenge_id, key)).slack_instance_id).toBe(id);
  expect((await cli('secret', 'rotate', '--integration', id)).code).toBe(0);
  expect((await cli('key', 'revoke', '--integration', id)).stdout).toContain('Revoked cs_test_');
  expect((await cli('key', 'revoke', '--integration', id)).stderr).toContain('has no valid key');
});

test('what was done in Slack reads as that: where, what came of it, and why', async () => {
  const refusal = { body: { ok: false, error: 'channel_not_found' } };
  slack.intervene((method, count) => (method === 'chat.postMessage' && count === 1 ? refusal : undefined));
  const { challenge_id } = await server.create({
    ...{ integration_type: 'slack', requester_email: 'grace@example.com' },
  });
  const list = () => cli('delivery', 'list', '--challenge', challenge_id);
  const ended = async () => {
    const { stdout } = await list();
    return /pending/.test(stdout) || !/slack\.notice/.test(stdout) ? undefined : stdout;
  };
  const listed = await until(ended, 'both messages to be done with');
  expect(listed).toMatch(/dead \(rejected\), 1 attempt, last: slack_refused\n {2}slack\.card to Slack$/m);
  expect(listed).toMatch(/delivered, 1 attempt\n {2}slack\.notice to Slack$/m);
  expect(listed).not.toMatch(/HTTP|https:/);

  const [, dead = ''] = /(\S+) {2}dead/.exec(listed) ?? [];
  const shown = await cli('delivery', 'show', '--id', dead);
  expect(shown.stdout).toMatch(/^Event +\S+ slack\.card$/m);
  expect(shown.stdout).toMatch(/^To +Slack$/m);
  expect(shown.stdout).toMatch(
    /^Attempt 1 .* slack_refused, \d+ ms\n {2}why +Slack refuses: channel_not_found$/m,
  );
  const [, done = ''] = /(\S+) {2}delivered/.exec(listed) ?? [];
  const posted = await cli('delivery', 'show', '--id', done);
  expect(posted.stdout).toMatch(/^Attempt 1 .* done, \d+ ms\n {2}note +posted to D\w+$/m);
  expect(posted.stdout).not.toMatch(/HTTP|https:/);
});

test('a challenge says where it was put to the person, and its trail which messages were posted', async () => {
  const { challenge_id } = await server.create({ integration_type: 'slack' });
  const show = async () => {
    const { stdout } = await cli('challenge', 'show', '--id', challenge_id);
    return /slack_card_posted/.test(stdout) ? stdout : undefined;
  };
  const stdout = await until(show, 'the card');
  expect(stdout).toMatch(new RegExp(`^In Slack +${id}$`, 'm'));
  expect(stdout).toMatch(/system +slack_card_posted +channel: D\w+$/m);
  expect(stdout).toContain(`Its callbacks and messages in Slack: countersign delivery list --challenge`);
  const plain = await server.create();
  const other = await cli('challenge', 'show', '--id', plain.challenge_id);
  expect(other.stdout).not.toContain('Slack');
});

test('the endpoint of a workspace is listed by its name', async () => {
  const { stdout } = await cli('endpoint', 'list');
  expect(stdout).toMatch(/^\S+ {2}test {2}Acme Slack {2}slack$/m);
});
