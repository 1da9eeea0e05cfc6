import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { untilServersNoticed } from '../../src/cli/rotation.ts';
import { runCli } from '../support/cli.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const SETTINGS = { api_key: 'key', shared_secret: 'secret', base_url: 'https://veriff.example' };

let server: TestServer;
let liveKey: string;
beforeAll(async () => {
  server = await startServer({ role: 'api', env: HTTPS });
  liveKey = (await server.integration({ mode: 'live' })).apiKey;
});
afterAll(() => server.close());

const cli = (...args: string[]) => runCli(['tenant', ...args], server.settings);
/** What a new challenge is bound to. */
async function created(body: Record<string, unknown> = {}, key = server.apiKey) {
  const { challenge_id } = await server.create(body, key);
  return server.db
    .selectFrom('challenges')
    .select(['provider', 'provider_attempts'])
    .where('id', '=', challenge_id)
    .executeTakeFirstOrThrow();
}

describe('tenant set-provider', () => {
  test('chooses for new challenges that name none, in one mode; open ones keep theirs', async () => {
    expect((await created()).provider).toBeNull();
    await server.provider('veriff', SETTINGS);
    await server.provider('berbix', SETTINGS);
    await server.provider('berbix', SETTINGS, { mode: 'live' });
    await untilServersNoticed();
    const before = await server.create();
    const chosen = await cli('set-provider', '--provider', 'berbix');
    expect(chosen).toMatchObject({
      ...{ code: 0, stderr: '' },
      stdout: 'New challenges in test mode use berbix. Open ones keep theirs.\n',
    });
    expect((await created()).provider).toBe('berbix');
    expect((await created({ provider: 'veriff' })).provider).toBe('veriff');
    expect((await created({}, liveKey)).provider).toBe('berbix');
    const { provider } = await server.db
      .selectFrom('challenges')
      .select('provider')
      .where('id', '=', before.challenge_id)
      .executeTakeFirstOrThrow();
    expect(provider).toBe('veriff');
  });

  test('takes the sandbox in test mode, and back to the one set up first', async () => {
    const sandbox = await cli('set-provider', '--provider', 'sandbox', '--json');
    expect(sandbox.json).toEqual({ mode: 'test', default_provider: 'sandbox', provider: 'sandbox' });
    expect((await created()).provider).toBe('sandbox');
    const back = await cli('set-provider', '--provider', 'default', '--json');
    expect(back.json).toEqual({ mode: 'test', default_provider: null, provider: 'veriff' });
    expect((await created()).provider).toBe('veriff');
  });

  test.each([
    ['one that is not set up', ['--provider', 'passbase'], /set up for test mode: veriff, berbix, sandbox/],
    ['one of the other mode', ['--provider', 'veriff', '--mode', 'live'], /set up for live mode: berbix$/m],
    [
      'the sandbox in live mode',
      ['--provider', 'sandbox', '--mode', 'live'],
      /set up for live mode: berbix$/m,
    ],
    ['nothing', [], /--provider missing/],
  ])('refuses %s', async (_name, args, cure) => {
    const ran = await cli('set-provider', ...args);
    expect(ran.code).not.toBe(0);
    expect(ran.stdout).toBe('');
    expect(ran.stderr).toMatch(cure);
    expect((await created()).provider).toBe('veriff');
  });
});

describe('tenant set-attempts', () => {
  test('sets how many runs a new challenge may take, in one mode', async () => {
    expect((await created()).provider_attempts).toBe(1);
    const set = await cli('set-attempts', '--attempts', '3');
    expect(set).toMatchObject({ code: 0, stderr: '' });
    expect(set.stdout).toMatch(/^New challenges in test mode take up to 3 attempts\./);
    expect((await created()).provider_attempts).toBe(3);
    expect((await created({}, liveKey)).provider_attempts).toBe(1);
    const live = await cli('set-attempts', '--attempts', '10', '--mode', 'live', '--json');
    expect(live.json).toEqual({ mode: 'live', provider_attempts: 10 });
    expect((await created({}, liveKey)).provider_attempts).toBe(10);
    expect((await cli('set-attempts', '--attempts', '1')).stdout).toMatch(/take 1 attempt\./);
    expect((await created()).provider_attempts).toBe(1);
  });

  test('refuses what is no whole number from 1 to 10', async () => {
    for (const attempts of ['0', '11', '1.5', '-1', 'many']) {
      const ran = await cli('set-attempts', `--attempts=${attempts}`);
      expect(ran).toMatchObject({ code: 2, stdout: '' });
      expect(ran.stderr).toContain('--attempts must be a whole number from 1 to 10');
    }
    expect((await created()).provider_attempts).toBe(1);
  });
});

test('tenant set-expiry sets how long new challenges live, until it is cleared', async () => {
  const minutes = async () => {
    const { expires_at } = await server.create();
    return Math.round((Date.parse(expires_at) - Date.now()) / 60_000);
  };
  expect((await cli('set-expiry', '--minutes', '90')).stdout).toMatch(
    /^New challenges live for 90 minutes\./,
  );
  expect(await minutes()).toBe(90);
  expect((await cli('set-expiry', '--minutes', 'default', '--json')).json).toEqual({
    default_expiry_minutes: null,
  });
  expect(await minutes()).toBe(15);
});

test('tenant show tells what was decided for new challenges, in each mode', async () => {
  await cli('set-expiry', '--minutes', '45');
  await cli('set-attempts', '--attempts', '2');
  await cli('set-provider', '--provider', 'sandbox');
  const { stdout } = await cli('show');
  expect(stdout).toContain('\nminutes until challenges expire: 45\n');
  expect(stdout).toContain('\ntest mode: sandbox (chosen), up to 2 attempts\nlive mode: berbix, ');
  await cli('set-expiry', '--minutes', 'default');
  expect((await cli('show')).stdout).toContain('\nminutes until challenges expire: 15 (default)\n');
  expect((await cli('show', '--json')).json).toMatchObject({
    default_expiry_minutes: null,
    test: { default_provider: 'sandbox', provider: 'sandbox', provider_attempts: 2 },
    live: { default_provider: null, provider: 'berbix' },
  });
});
