import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hmacHex } from '../../src/kernel/crypto.ts';
import { runCli, runProcess } from '../support/cli.ts';
import { createPerson } from '../support/person.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { startSink } from '../support/sink.ts';

describe('beside a running server', () => {
  let server: TestServer;
  let sink: Awaited<ReturnType<typeof startSink>>;
  const cli = (...args: string[]) => runCli(args, server.settings);
  const status = async (key: string) =>
    (await server.request.get('/api/v1/challenges').set('X-API-Key', key)).status;
  beforeAll(async () => {
    server = await startServer();
    sink = await startSink();
  });
  afterAll(async () => {
    await server.close();
    await sink.close();
  });

  test('an integration is created with key, secret and default callback URL that work at once', async () => {
    const made = await cli(
      'integration',
      'create',
      '--name',
      'ITSM',
      '--callback-url',
      sink.url,
      '--webhook-secret',
      'my-secret-1',
      '--json',
    );
    expect(made).toMatchObject({
      code: 0,
      json: { name: 'ITSM', mode: 'test', webhook_secret: 'my-secret-1' },
    });
    const created = await server.create({}, String(made.json.api_key));
    const person = createPerson(server);
    await person.start(created);
    await person.decide(created, 'approve');
    expect((await sink.waitFor(created.challenge_id)).json.status).toBe('verified');

    const text = await cli('integration', 'create', '--name', 'SOAR', '--mode', 'live');
    expect(text.stdout).toMatch(/API key +cs_live_[\w-]{43}\n {2}Callback secret +whsec_/);
    const listed = await cli('integration', 'list', '--json');
    const names = (listed.json.integrations as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['First steps', 'ITSM', 'SOAR']));
    expect(listed.stdout).not.toContain(String(made.json.api_key));
  });

  test('rotating a key ends the old one at once, or after the overlap', async () => {
    const { apiKey } = await server.integration();
    const { integrations } = (await cli('integration', 'list', '--json')).json as {
      integrations: { integration_id: string; key_prefixes: string[] }[];
    };
    const id =
      integrations.find(({ key_prefixes }) => key_prefixes.includes(apiKey.slice(0, 12)))?.integration_id ??
      '';
    expect(await status(apiKey)).toBe(200);
    const first = await cli('key', 'rotate', '--integration', id, '--json');
    expect(await status(apiKey)).toBe(401);
    expect(await status(String(first.json.api_key))).toBe(200);
    const second = await cli('key', 'rotate', '--integration', id, '--overlap', '1h', '--json');
    expect(await status(String(first.json.api_key))).toBe(200);
    expect(await status(String(second.json.api_key))).toBe(200);
    const revoked = await cli('key', 'revoke', '--integration', id, '--json');
    expect(revoked.json.revoked).toHaveLength(2);
    expect(await status(String(second.json.api_key))).toBe(401);
  });

  test('a rotated key keeps its rights', async () => {
    const args = [
      'integration',
      'create',
      '--name',
      'Reader',
      '--scopes',
      'challenges:read',
      '--own-only',
      '--json',
    ];
    await cli(...args);
    const rotated = await cli('key', 'rotate', '--integration', 'Reader', '--json');
    const key = String(rotated.json.api_key);
    expect(await status(key)).toBe(200);
    const created = await server.request
      .post('/api/v1/challenges')
      .set('X-API-Key', key)
      .send({ target_user_id: 'x' });
    expect(created.status).toBe(403);
  });

  test('a name that two integrations share is not guessed at', async () => {
    await cli('integration', 'create', '--name', 'Twin');
    await cli('integration', 'create', '--name', 'Twin');
    const ran = await cli('key', 'revoke', '--integration', 'Twin');
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringMatching(/by its id: \S+, \S+/) });
  });

  test.each([
    ['the whole key', (key: string) => key],
    ['what the list shows', (key: string) => `${key.slice(0, 12)}…`],
  ])('one key is revoked by %s', async (_name, shown) => {
    const made = await cli('integration', 'create', '--name', `Leaky ${_name}`, '--json');
    const key = String(made.json.api_key);
    const ran = await cli(
      'key',
      'revoke',
      '--integration',
      String(made.json.integration_id),
      '--prefix',
      shown(key),
    );
    expect(ran.code).toBe(0);
    expect(await status(key)).toBe(401);
  });

  test('a rotated secret signs beside the old one until the overlap ends', async () => {
    const made = await cli('integration', 'create', '--name', 'Signed', '--callback-url', sink.url, '--json');
    const callback = async () => {
      const created = await server.create({}, String(made.json.api_key));
      await server.request
        .post(`/api/v1/challenges/${created.challenge_id}/cancel`)
        .set('X-API-Key', String(made.json.api_key));
      return sink.waitFor(created.challenge_id);
    };
    const bodySignature = (secret: unknown, body: Buffer) => `sha256=${hmacHex(String(secret), body)}`;
    const first = await cli('secret', 'rotate', '--integration', 'Signed', '--json');
    const during = await callback();
    expect(during.headers['x-webhook-signature']).toBe(bodySignature(made.json.webhook_secret, during.body));
    expect(String(during.headers['webhook-signature']).split(' ')).toHaveLength(2);
    const second = await cli('secret', 'rotate', '--integration', 'Signed', '--overlap', '0', '--json');
    const after = await callback();
    expect(after.headers['x-webhook-signature']).toBe(bodySignature(second.json.webhook_secret, after.body));
    expect(String(after.headers['webhook-signature']).split(' ')).toHaveLength(1);
    expect(second.json.webhook_secret).not.toBe(first.json.webhook_secret);
  });

  test('the tenant default decides how long new challenges live, until it is cleared', async () => {
    const minutes = async () => {
      const created = await server.create();
      return Math.round((Date.parse(created.expires_at) - Date.now()) / 60_000);
    };
    await cli('tenant', 'set-expiry', '--minutes', '90');
    expect(await minutes()).toBe(90);
    await cli('tenant', 'set-expiry', '--minutes', 'default');
    expect(await minutes()).toBe(15);
    expect(await cli('tenant', 'set-expiry', '--minutes', '10081')).toMatchObject({ code: 2 });
  });

  test('setting up Veriff prints the address of its webhooks, and setting it again keeps that address', async () => {
    const args = [
      'provider',
      'set',
      'veriff',
      '--api-key',
      'k',
      '--shared-secret',
      's',
      '--base-url',
      'https://stationapi.veriff.com',
      '--json',
    ];
    const made = await cli(...args, '--mode', 'live');
    const { pathname } = new URL(String(made.json.webhook_url));
    await server.request.get(pathname).expect(200, 'Countersign endpoint for Veriff webhooks\n');
    const again = await cli(...args, '--mode', 'live');
    expect(again.json.webhook_url).toBe(made.json.webhook_url);
    const account = await server.db.selectFrom('provider_accounts').selectAll().executeTakeFirstOrThrow();
    expect(account.settings_sealed).not.toContain('stationapi');
  });

  test('doctor finds nothing wrong here, and says what is wrong with another key', async () => {
    const well = await cli('doctor', '--json');
    expect(well).toMatchObject({ code: 0, json: { ok: true } });
    const otherKey = { ...server.settings, ENCRYPTION_KEY: 'ab'.repeat(32) };
    const sick = await runCli(['doctor'], otherKey);
    expect(sick.code).toBe(1);
    expect(sick.stdout).toMatch(/fail +encryption/);
  });

  test.each([
    [
      'a callback URL in a private network',
      ['integration', 'create', '--name', 'x', '--callback-url', 'http://10.1.2.3/'],
      1,
      /--callback-url cannot be called/,
    ],
    [
      'http for live mode',
      ['integration', 'create', '--name', 'x', '--mode', 'live', '--callback-url', 'http://example.com/'],
      1,
      /--callback-url cannot be called/,
    ],
    [
      'a broken whsec_ secret',
      ['integration', 'create', '--name', 'x', '--webhook-secret', 'whsec_!'],
      1,
      /whsec_/,
    ],
    ['an unknown mode', ['integration', 'create', '--name', 'x', '--mode', 'prod'], 2, /test or live/],
    ['a missing option', ['integration', 'create'], 2, /--name missing/],
    ['an unknown option', ['integration', 'create', '--nme', 'x'], 2, /--help/],
    ['an unknown integration', ['key', 'rotate', '--integration', 'nobody'], 2, /integration list/],
    [
      'an overlap that is too long',
      ['key', 'rotate', '--integration', 'First steps', '--overlap', '8d'],
      2,
      /at most 7d/,
    ],
    ['an unknown command', ['integration', 'destroy'], 2, /integration create/],
  ])('%s is refused with the cure', async (_name, args, code, message) => {
    const ran = await cli(...args);
    expect(ran.code).toBe(code);
    expect(ran.stderr).toMatch(message);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1); // no stack trace
  });
});

test('a process says on its two ways out what happened, and ends with the code for it', async () => {
  const [shown, refused, forPrograms] = await Promise.all([
    runProcess(['key', 'rotate', '--help'], {}),
    runProcess(['integration', 'destroy'], {}),
    runProcess(['serve', '--json'], { PORT: 'http' }),
  ]);
  expect(shown).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('--overlap') });
  expect(refused).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/^countersign: .*\n$/),
  });
  expect(forPrograms).toMatchObject({ code: 1, stdout: '' });
  expect(JSON.parse(forPrograms.stderr)).toMatchObject({ mistakes: [expect.stringContaining('PORT')] });
});

test('every command has help, and the overview names every setting', async () => {
  const overview = await runCli(['--help'], {});
  for (const word of ['serve', 'migrate', 'doctor', 'key rotate', 'PUBLIC_URL', 'ENCRYPTION_KEY'])
    expect(overview.stdout).toContain(word);
  const help = await runCli(['key', 'rotate', '--help'], {});
  expect(help).toMatchObject({ code: 0 });
  expect(help.stdout).toContain('--overlap');
});

test('help has what each option means in one column, apart from the longest name', async () => {
  const { stdout } = await runCli(['provider', 'set', 'berbix', '--help'], {});
  const lines = stdout.split('\n').filter((line) => line.startsWith('  --'));
  expect(lines.length).toBeGreaterThan(8);
  const column = lines.find((line) => line.includes('FINISHED_SECRET'))?.indexOf('Hook') ?? -1;
  for (const line of lines) expect(line.slice(column - 2, column + 1)).toMatch(/^ {2}\S$/);
  expect(stdout).toContain('--finished-secret FINISHED_SECRET  Hook secret');
  expect(stdout.match(/@FILE/g)).toHaveLength(1);
});

test('all mistakes in the settings are listed at once, each with its cure', async () => {
  const env = {
    PORT: 'http',
    DATABASE_URL: 'mysql://x',
    PUBLIC_URL: 'verify.example.com',
    OUTBOUND_ALLOWED_CIDRS: '10/8',
    LOG_LEVEL: 'loud',
    TRUST_PROXY: 'me',
    REDIS_URL: 'x',
  };
  const ran = await runCli(['serve'], env);
  expect(ran.code).toBe(1);
  for (const name of Object.keys(env)) expect(ran.stderr).toContain(`- ${name}: `);
  const json = await runCli(['serve', '--json'], env);
  expect((JSON.parse(json.stderr) as { mistakes: string[] }).mistakes).toHaveLength(7);
  const noKey = await runCli(['serve'], { DATABASE_URL: 'postgres://localhost/x' });
  expect(noKey.stderr).toContain('openssl rand -hex 32');
});
