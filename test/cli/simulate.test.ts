import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { simulateCommands, startSimulation } from '../../src/cli/simulate.ts';
import { readConfig } from '../../src/config.ts';
import { openAccount } from '../../src/providers/account.ts';
import { providers } from '../../src/providers/index.ts';
import { findAccountById } from '../../src/providers/store.ts';
import { simulators } from '../../src/simulators/index.ts';
import { createPerson } from '../support/person.ts';
import { freePort } from '../support/redis.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

type Started = Awaited<ReturnType<typeof startSimulation>>;

const USUAL = { port: '0', copies: '1', late: '0', lose: '0', reversed: false, replace: false };

let server: TestServer;
const running: Started[] = [];
beforeAll(async () => {
  server = await startServer();
});
afterEach(async () => {
  for (const { simulator } of running.splice(0)) await simulator.close();
  await server.db.deleteFrom('inbox').execute();
  await server.db.deleteFrom('verification_sessions').execute();
  await server.db.deleteFrom('provider_accounts').execute();
});
afterAll(() => server.close());

const configFor = (env: Record<string, string> = {}) =>
  readConfig({ ...server.settings, PUBLIC_URL: server.url, ...env });

async function simulate(name: string, values: object = {}, env: Record<string, string> = {}) {
  const said: string[] = [];
  const simulation = await startSimulation(name, configFor(env), { ...USUAL, ...values }, (line) =>
    said.push(line),
  );
  running.push(simulation);
  return { ...simulation, said };
}

const accountOf = async (id: string) => openAccount(server.sealer, await findAccountById(server.db, id));

/** A person goes through the hosted page of this provider and presses this button. */
async function goThrough(provider: string, outcome: string): Promise<string> {
  const created = await server.create({ provider });
  const id = created.challenge_id;
  const person = createPerson(server);
  await person.start(created).expect(303);
  const onward = await person.agent.get(`/challenge/${id}/continue`).expect(200);
  const link = /<a href="(http[^"]+)"/.exec(onward.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
  const page = await fetch(link);
  expect(await page.text()).toContain(`value="${outcome}"`);
  await fetch(page.url, {
    method: 'POST',
    body: new URLSearchParams({ decision: outcome }),
    redirect: 'manual',
  });
  return id;
}

describe('countersign simulate', () => {
  test('has a command for every provider', () => {
    expect(Object.keys(simulators).sort()).toEqual(Object.keys(providers).sort());
    expect(simulateCommands.map(({ name }) => name)).toEqual(
      Object.keys(simulators).map((name) => `simulate ${name}`),
    );
    const ports = simulateCommands.map(({ options }) => options.port?.default);
    expect(new Set(ports).size).toBe(ports.length);
  });

  test.each(Object.keys(simulators))('plays %s for a person of test mode', async (name) => {
    const { simulator, webhookUrl, accountId, said } = await simulate(name);
    expect(webhookUrl).toBe(`${server.url}/webhooks/${name}/${accountId}`);
    expect((await accountOf(accountId)).settings).toEqual(simulator.settings);
    const [outcome = ''] =
      Object.entries(simulator.outcomes).find(([, becomes]) => becomes === 'verified') ?? [];
    const id = await goThrough(name, outcome);
    await until(async () => (await server.read(id)).status === 'verified', 'the challenge to be verified');
    expect(said).toContainEqual(expect.stringMatching(/^(GET|POST) \/.* → 20[01]$/));
    expect(said).toContainEqual(expect.stringMatching(/^webhook .* → 200$/));
  });

  test('sends webhooks as it is asked to', async () => {
    const { simulator } = await simulate('veriff', { copies: '2', reversed: true });
    const id = await goThrough('veriff', 'declined');
    await until(() => simulator.deliveries.length === 6, 'six webhooks');
    const words = simulator.deliveries.map(({ body }) => /"(declined|submitted|started)"/.exec(body)?.[1]);
    expect(words).toEqual(['declined', 'declined', 'submitted', 'submitted', 'started', 'started']);
    await until(async () => (await server.read(id)).status === 'failed', 'the challenge to be failed');

    const losing = await simulate('veriff', { lose: '100' });
    await goThrough('veriff', 'approved');
    await until(
      () => losing.said.filter((line) => line.endsWith('is lost on its way')).length === 3,
      'losses',
    );
    expect(losing.simulator.deliveries).toHaveLength(0);
  });

  test('a later run takes the account over, keys included', async () => {
    const first = await simulate('veriff');
    const second = await simulate('veriff');
    expect(second.accountId).toBe(first.accountId);
    expect(second.simulator.settings).toEqual({
      ...first.simulator.settings,
      base_url: second.simulator.url,
    });
    expect((await accountOf(first.accountId)).settings.base_url).toBe(second.simulator.url);
  });
});

describe('it refuses, with the cure,', () => {
  const real = { api_key: 'k', shared_secret: 's', base_url: 'https://stationapi.veriff.com' };

  test('to take the place of the real provider, unless told to, and then forgets its keys', async () => {
    const accountId = await server.provider('veriff', real);
    await server.db
      .updateTable('provider_accounts')
      .set({ allowed_ips: ['34.254.42.181'] })
      .execute();
    await expect(simulate('veriff')).rejects.toThrow(/real Veriff; with --replace .* provider set veriff/);
    expect((await accountOf(accountId)).settings).toEqual(real);

    const { simulator, accountId: replaced } = await simulate('veriff', { replace: true });
    expect(replaced).toBe(accountId);
    const { settings, account } = await accountOf(accountId);
    expect(settings).toEqual(simulator.settings);
    expect(Object.values(settings)).not.toContain(real.shared_secret);
    expect(account.allowed_ips).toEqual([]);
    expect(account.previous_sealed).toBeNull();
  });

  test('when the server would not call this machine', async () => {
    await expect(simulate('veriff', {}, { OUTBOUND_ALLOWED_CIDRS: '' })).rejects.toThrow(
      'OUTBOUND_ALLOWED_CIDRS=127.0.0.0/8',
    );
  });

  test('the server’s own port, and one that is taken', async () => {
    const port = String(await freePort());
    await expect(simulate('veriff', { port }, { PUBLIC_URL: `http://127.0.0.1:${port}` })).rejects.toThrow(
      `port ${port} is the server's own; choose another with --port`,
    );
    const { simulator } = await simulate('veriff');
    const taken = new URL(simulator.url).port;
    await expect(simulate('berbix', { port: taken })).rejects.toThrow(/EADDRINUSE.*--port/);
    const rows = await server.db.selectFrom('provider_accounts').select('provider').execute();
    expect(rows).toEqual([{ provider: 'veriff' }]);
  });

  test.each([
    ['port', '70000', '--port must be a whole number from 0 to 65535'],
    ['port', 'x', '--port must be'],
    ['copies', '0', '--copies must be a whole number from 1 to 100'],
    ['lose', '101', '--lose must be a whole number from 0 to 100'],
    ['lose', '1.5', '--lose must be'],
    ['late', 'soon', '--late: "soon" is not a time'],
  ])('--%s %s', async (name, value, message) => {
    await expect(simulate('veriff', { [name]: value })).rejects.toThrow(message);
  });
});

describe('as a process of its own', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  test('it says what to do next and what happens, until it is asked to stop', async () => {
    const code = `import { simulateCommands } from './src/cli/simulate.ts';
import { readConfig } from './src/config.ts';
await simulateCommands[0].run(readConfig(), ${JSON.stringify(USUAL)});`;
    const { PATH, HOME } = process.env;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      env: { PATH, HOME, ...server.settings, PUBLIC_URL: server.url },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until(() => said.includes('What happens from now on'), `the banner; it says ${said}`, 30_000);
    expect(said).toContain(`curl -X POST ${server.url}/api/v1/challenges`);
    expect(said).toContain('"provider":"veriff"');

    const id = await goThrough('veriff', 'approved');
    await until(async () => (await server.read(id)).status === 'verified', 'the challenge to be verified');
    await until(() => said.includes('webhook decision approved → 200'), `the webhook; it says ${said}`);
    expect(said).toMatch(/^\d\d:\d\d:\d\d {2}POST \/v1\/sessions → 201$/m);
    const ended = once(child, 'exit');
    child.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
  });
});
