import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { simulateCommands, startSimulation } from '../../src/cli/simulate.ts';
import { readConfig } from '../../src/config.ts';
import { openAccount } from '../../src/providers/account.ts';
import { providers } from '../../src/providers/index.ts';
import { findAccountById } from '../../src/providers/store.ts';
import { simulators } from '../../src/simulators/index.ts';
import { saveTenantMode } from '../../src/tenants/modes-store.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
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
  await server.db.deleteFrom('tenant_modes').execute();
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

describe('challenges that name no provider', () => {
  const providerOfNext = async () => (await server.read((await server.create()).challenge_id)).provider;
  const choose = async (default_provider: string | null) => {
    const tenant = await findFirstTenant(server.db);
    await saveTenantMode(server.db, tenant?.id ?? '', 'test', { default_provider });
  };

  test('still go to the sandbox, also when the simulator has stopped, until the tenant says otherwise', async () => {
    const before = await providerOfNext();
    const first = await simulate('veriff');
    expect(first.byDefault).toBe('sandbox');
    expect(await providerOfNext()).toBe('sandbox');
    await first.simulator.close();
    const created = await server.create();
    const to = `/challenge/${created.challenge_id}/sandbox`;
    await createPerson(server).start(created).expect(303).expect('Location', to);
    expect(before).toBeNull();

    // Who then wants the one that was set up first gets it, and the next run leaves that alone.
    await choose(null);
    expect((await simulate('veriff')).byDefault).toBe('veriff');
    expect(await providerOfNext()).toBe('veriff');
  });

  test.each([
    ['chose', 'berbix'],
    ['set up first', null],
  ])('go on to the provider that the tenant %s', async (_, chosen) => {
    await server.provider('berbix', { api_secret: 'secret_test_1', base_url: 'https://api.berbix.com' });
    await choose(chosen);
    const { byDefault, said } = await simulate('passbase');
    expect(byDefault).toBe('berbix');
    expect(said).toEqual([]);
    expect(await providerOfNext()).toBe('berbix');
  });
});

describe('it looks whether the server is there', () => {
  test('and goes on when it is not, or does not know the account', async () => {
    expect((await simulate('veriff')).served).toBe(true);
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const alone = await simulate('veriff', {}, { PUBLIC_URL: nobody });
    expect(alone.served).toBe(false);
    expect(alone.webhookUrl).toContain(nobody);

    // Another Countersign, with a database of its own.
    const other = await startServer();
    expect((await simulate('veriff', {}, { PUBLIC_URL: other.url })).served).toBe(false);
    await other.close();
  });

  test('but does not wait for one that says nothing', async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    expect((await simulate('veriff', {}, { PUBLIC_URL: `http://127.0.0.1:${port}` })).served).toBe(false);
    silent.close();
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

  /** Runs the first of the commands; `said` grows with what it prints. */
  const run = (publicUrl: string, values: object = {}) => {
    const code = `import { simulateCommands } from './dist/cli/simulate.js';
import { readConfig } from './dist/config.js';
await simulateCommands[0].run(readConfig(), ${JSON.stringify({ ...USUAL, ...values })});`;
    const { PATH, HOME } = process.env;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      env: { PATH, HOME, ...server.settings, PUBLIC_URL: publicUrl },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    const said = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].on('data', (chunk: Buffer) => (said[stream] += chunk.toString()));
    return { child, said };
  };
  const stop = async (child: ChildProcess) => {
    const ended = once(child, 'close');
    child.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
  };

  test('it says what to do next and what happens, until it is asked to stop', async () => {
    const { child, said } = run(server.url);
    const saysAll = () => said.stdout.includes('What happens from now on');
    await until(saysAll, 'the banner', 30_000);
    expect(said.stderr).toBe('');
    expect(said.stdout).toContain(
      `curl -X POST ${server.url}/api/v1/challenges -H "X-API-Key: $KEY" -H "Content-Type: application/json" -d '`,
    );
    expect(said.stdout).toContain('"provider":"veriff"');
    expect(said.stdout).toContain(
      'Challenges that name no provider still go to the sandbox; `countersign tenant set-provider --provider veriff` changes that.',
    );

    const id = await goThrough('veriff', 'approved');
    await until(async () => (await server.read(id)).status === 'verified', 'the challenge to be verified');
    await until(() => said.stdout.includes('webhook decision approved → 200'), 'the webhook');
    expect(said.stdout).toMatch(/^\d\d:\d\d:\d\d {2}POST \/v1\/sessions → 201$/m);
    await stop(child);
    expect(said.stderr).toContain(
      'The Veriff account of test mode still points at this simulator, until `countersign provider set veriff` or the next `countersign simulate veriff`.\n',
    );
  });

  test('it says which address it tried when no server is there, and plays on', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const { child, said } = run(nobody, { json: true });
    await until(() => said.stdout.includes('}'), 'the facts', 30_000);
    const facts = JSON.parse(said.stdout) as { [name: string]: string };
    expect(facts).toMatchObject({ provider: 'veriff', default_provider: 'sandbox' });
    expect(said.stderr).toContain(`answers at ${nobody} (tried ${facts.webhook_url})`);
    expect(said.stderr).toContain('needs the same settings as the server: PORT, PUBLIC_URL,');
    expect((await fetch(facts.url ?? '')).status).toBe(404);
    await stop(child);
  });
});
