import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atOnce } from '../support/at-once.ts';
import { runCli } from '../support/cli.ts';
import { cancel, openSinks, settle } from '../support/deliveries.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { createAuthority } from '../support/tls.ts';

const SECRET_VALUE = 'Bearer swordfish-4711';

let server: TestServer;
let folder: string;
const authority = createAuthority('House CA');
const sinks = openSinks();
beforeAll(async () => {
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), 'countersign-set-'));
});
afterAll(async () => {
  await server.close();
  await sinks.close();
  authority.close();
  rmSync(folder, { recursive: true, force: true });
});

const cli = (...args: string[]) => runCli(args, server.settings);
const set = (id: string, ...args: string[]) => cli('integration', 'set', '--integration', id, ...args);
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const rowOf = (id: string) =>
  server.db.selectFrom('integrations').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const listed = async (id: string): Promise<Record<string, unknown>> => {
  const { json } = await cli('integration', 'list', '--json');
  const all = json.integrations as Record<string, unknown>[];
  return all.find((one) => one.integration_id === id) ?? {};
};

describe('integration set', () => {
  test('changes how callbacks are sent, shows it in the list, and shows nothing secret', async () => {
    const { integrationId } = await server.integration({ callback_url: 'https://hooks.example.com/' });
    const client = authority.issue(['countersign']);
    const ran = await set(
      integrationId,
      ...['--events', 'endpoint.*,delivery.dead,challenge.completed', '--retry-schedule', '5s,90s,30m,48h'],
      ...['--in-flight-cap', '3', '--header', `Authorization: ${SECRET_VALUE}`, '--header', 'X-Tenant:acme'],
      ...['--ca', file('ca.pem', authority.cert)],
      ...['--client-cert', file('client.pem', client.cert), '--client-key', file('client.key', client.key)],
      '--json',
    );
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    const settings = {
      callback_url: 'https://hooks.example.com/',
      events: [
        'challenge.completed',
        'endpoint.opened',
        'endpoint.failing',
        'endpoint.recovered',
        'endpoint.disabled',
        'endpoint.enabled',
        'endpoint.gone',
        'delivery.dead',
      ],
      retry_schedule: '5s,90s,30m,2d',
      in_flight_cap: 3,
      headers: ['Authorization', 'X-Tenant'],
      ca: [{ subject: 'CN=House CA', expires_at: expect.stringMatching(/^20\d\d-/) }],
      client_certificate: { subject: 'CN=countersign', expires_at: expect.stringMatching(/^20\d\d-/) },
    };
    expect(ran.json).toMatchObject({ ...settings, warnings: [] });
    expect(await listed(integrationId)).toMatchObject(settings);
    const row = await rowOf(integrationId);
    expect(row).toMatchObject({ retry_waits_s: [5, 90, 1_800, 172_800], in_flight_cap: 3 });

    const text = (await cli('integration', 'list')).stdout;
    expect(text).toContain('headers: Authorization, X-Tenant');
    expect(text).toMatch(/trusts only: CN=House CA \(until 20\d\d-\d\d-\d\d\)/);
    const audit = await server.db.selectFrom('audit_entries').selectAll().execute();
    const entry = audit.find(({ action }) => action === 'integration_changed');
    expect(entry).toMatchObject({ actor: 'cli', challenge_id: null, detail: { in_flight_cap: 3 } });
    for (const shown of [ran.stdout, text, JSON.stringify(audit), JSON.stringify(row)]) {
      expect(shown).not.toContain('swordfish');
      expect(shown).not.toContain('PRIVATE KEY');
    }
  });

  test('goes back to the server’s settings, and leaves alone what is not named', async () => {
    const { integrationId } = await server.integration();
    const all = ['--events', '*', '--retry-schedule', '1m', '--in-flight-cap', '100', '--header', 'A: 1'];
    await set(integrationId, ...all, '--ca', file('ca.pem', authority.cert));
    expect((await set(integrationId, '--events', 'default', '--retry-schedule', 'default')).code).toBe(0);
    expect(await rowOf(integrationId)).toMatchObject({
      events: ['challenge.completed', 'challenge.incident_reported', 'challenge.expired'],
      retry_waits_s: null,
      in_flight_cap: 100,
      headers_sealed: expect.any(String),
      tls_sealed: expect.any(String),
    });
    await set(integrationId, '--in-flight-cap', 'default', '--remove-header', 'a', '--ca', 'none');
    const bare = { in_flight_cap: null, headers_sealed: null, tls_sealed: null };
    expect(await rowOf(integrationId)).toMatchObject(bare);
  });

  test('replaces a header whatever its case, and a client certificate without touching the CA', async () => {
    const { integrationId } = await server.integration();
    const [one, two] = [authority.issue(['one']), authority.issue(['two'])];
    const pair = ({ cert, key }: typeof one) => [
      ...['--client-cert', file('pair.pem', cert), '--client-key', file('pair.key', key)],
    ];
    await set(integrationId, '--header', 'X-Tenant: a', '--ca', file('ca.pem', authority.cert), ...pair(one));
    const ran = await set(integrationId, '--header', 'x-tenant: b', ...pair(two), '--json');
    expect(ran.json).toMatchObject({
      headers: ['x-tenant'],
      ca: [{ subject: 'CN=House CA' }],
      client_certificate: { subject: 'CN=two' },
    });
    const gone = await set(integrationId, '--client-cert', 'none', '--json');
    expect(gone.json).toMatchObject({ ca: [{ subject: 'CN=House CA' }], client_certificate: null });
  });

  test('a new callback URL holds for new challenges, and the command says so', async () => {
    const [before, after] = [await sinks.open(), await sinks.open()];
    const { integrationId, apiKey } = await server.integration({ callback_url: before.url });
    const old = await server.create({}, apiKey);
    const ran = await set(integrationId, '--callback-url', after.url);
    expect(ran.stdout).toContain('challenges already created keep the callback URL they have');
    const fresh = await settle(server, {}, apiKey);
    await cancel(server, old, apiKey);
    await Promise.all([after.waitFor(fresh), before.waitFor(old.challenge_id)]);
    const none = await set(integrationId, '--callback-url', 'none', '--events', '*');
    expect(none.stdout).toContain('callbacks: per request');
    expect(none.stdout).toContain('go to the callback URL, and there is none');
  });

  test('create takes the settings that are no files', async () => {
    const made = await cli(
      ...['integration', 'create', '--name', 'Watcher', '--events', 'endpoint.*', '--in-flight-cap', '7'],
      ...['--retry-schedule', '10s,1h', '--json'],
    );
    expect(await listed(String(made.json.integration_id))).toMatchObject({
      events: expect.arrayContaining(['endpoint.gone']),
      retry_schedule: '10s,1h',
      in_flight_cap: 7,
    });
  });

  test('an expired certificate is taken with a warning', async () => {
    const { integrationId } = await server.integration();
    const old = authority.issue(['old'], { expired: true });
    const files = ['--client-cert', file('old.pem', old.cert), '--client-key', file('old.key', old.key)];
    expect((await set(integrationId, ...files)).stdout).toMatch(/Note: The certificate of CN=old expired/);
  });

  test.each([
    ['nothing at all', [], 2, /nothing to change/],
    ['an empty value', ['--events', ''], 2, /--events is empty/],
    [
      'an unknown event',
      ['--events', 'challenge.won'],
      2,
      /no event "challenge.won"; use challenge.completed/,
    ],
    ['an unknown group', ['--events', 'challange.*'], 2, /challenge\.\*, endpoint\.\*/],
    ['a schedule of words', ['--retry-schedule', 'often'], 2, /5s,5m,30m, or default/],
    ['a wait of no time', ['--retry-schedule', '0'], 2, /from 1s to 7d/],
    ['a cap of 101', ['--in-flight-cap', '101'], 2, /1 to 100, or default/],
    ['a private callback URL', ['--callback-url', 'http://10.1.2.3/'], 1, /--callback-url cannot be called/],
    ['a header without a name', ['--header', 'swordfish'], 2, /such as "X-Tenant: acme"$/m],
    ['a header without a value', ['--header', 'X-Tenant:'], 2, /--remove-header X-Tenant/],
    ['a header twice', ['--header', 'A: 1', '--header', 'a: 2'], 2, /given twice/],
    ['a header of ours', ['--header', 'Webhook-Id: 1'], 2, /cannot be set/],
    ['a header on two lines', ['--header', 'A: 1\r\nHost: x'], 2, /on one line/],
    ['a header that is not there', ['--remove-header', 'B'], 2, /headers now: it has none/],
    ['a missing file', ['--ca', '/nowhere.pem'], 2, /\/nowhere.pem cannot be read \(ENOENT\)/],
    ['a CA that is none', ['--ca', 'package.json'], 2, /BEGIN CERTIFICATE/],
    ['half a pair', ['--client-cert', 'none', '--client-key', 'package.json'], 2, /belong together/],
  ])('%s is refused with the cure, and changes nothing', async (_name, args, code, message) => {
    const before = await rowOf((await firstIntegration()).id);
    const ran = await set(before.id, ...args);
    expect(ran).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) });
    expect(ran.stderr.trim().split('\n')).toHaveLength(1); // no stack trace
    expect(ran.stderr).not.toContain('swordfish');
    expect(await rowOf(before.id)).toEqual(before);
  });

  test('a certificate without its key, and with another one’s, is refused', async () => {
    const { id } = await firstIntegration();
    const [one, two] = [authority.issue(['one']), authority.issue(['two'])];
    const cert = ['--client-cert', file('one.pem', one.cert)];
    expect((await set(id, ...cert)).stderr).toContain('needed together');
    const other = await set(id, ...cert, '--client-key', file('two.key', two.key));
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('does not belong') });
  });

  test('of two commands at once, neither forgets the other’s header', async () => {
    const { integrationId } = await server.integration();
    const names = ['A', 'B', 'C', 'D'];
    const commands = names.map((name) => () => set(integrationId, '--header', `${name}: 1`));
    await atOnce(server.db, integrationId, commands);
    const { headers } = await listed(integrationId);
    expect(new Set(headers as string[])).toEqual(new Set(names));
  });

  test('what another key has sealed is named, and can be given up', async () => {
    const { integrationId } = await server.integration();
    await set(integrationId, '--header', 'A: 1', '--ca', file('ca.pem', authority.cert));
    const elsewhere = { ...server.settings, ENCRYPTION_KEY: randomBytes(32).toString('hex') };
    const list = await runCli(['integration', 'list'], elsewhere);
    expect(list.stdout).toContain('sealed under a key that ENCRYPTION_KEY does not hold');
    expect(list.stdout).toContain(integrationId);
    const on = (...args: string[]) => runCli([...args, '--integration', integrationId], elsewhere);
    const shut = await on('secret', 'rotate');
    expect(shut).toMatchObject({ code: 1, stderr: expect.stringMatching(/--remove-header all/) });
    const given = ['--remove-header', 'all', '--ca', 'none', '--client-cert', 'none'];
    expect(await on('integration', 'set', ...given)).toMatchObject({ code: 0 });
    expect(await on('secret', 'rotate')).toMatchObject({ code: 0 });
  });
});

async function firstIntegration() {
  return server.db.selectFrom('integrations').select('id').orderBy('id').executeTakeFirstOrThrow();
}
