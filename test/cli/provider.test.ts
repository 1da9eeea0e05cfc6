import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { authHeaders } from '../../src/simulators/veriff-auth.ts';
import { startServer } from '../support/server.ts';
import { BERBIX, PASSBASE, setProvider, VERIFF } from '../support/provider-options.ts';
import type { TestServer } from '../support/server.ts';

const MARKS = /secret-one|4711|4713|0123456789abcdef/;

let server: TestServer;
let folder: string;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
  folder = mkdtempSync(join(tmpdir(), 'countersign-provider-'));
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const set = (provider: string, options: Record<string, string>, ...more: string[]) =>
  setProvider(server.settings, provider, options, more);
const accountOf = (id: unknown) =>
  server.db
    .selectFrom('provider_accounts')
    .selectAll()
    .where('id', '=', String(id))
    .executeTakeFirstOrThrow();
/** How a webhook signed like this is answered at the address that the command printed. */
async function answerTo(url: unknown, apiKey: string, secret: string): Promise<number> {
  const body = JSON.stringify({ id: 'nobody', code: 7001, action: 'started', n: Math.random() });
  const { pathname } = new URL(String(url));
  const headers = authHeaders({ apiKey, secret }, body);
  const answer = await fetch(server.url + pathname, { method: 'POST', headers, body });
  await answer.arrayBuffer();
  return answer.status;
}

describe('provider set', () => {
  test('says what to do there, with the address of its webhooks, and repeats no secret', async () => {
    const all: [string, Record<string, string>, RegExp][] = [
      ['veriff', VERIFF, /open All Integrations/],
      ['berbix', BERBIX, /Let three webhooks at Berbix have this target URL/],
      ['passbase', PASSBASE, /-----BEGIN PUBLIC KEY-----/],
    ];
    await Promise.all(
      all.map(async ([name, options, told]) => {
        const first = await set(name, options);
        expect(first).toMatchObject({ code: 0, stderr: '' });
        expect(first.stdout).toMatch(told);
        const [, url = ''] =
          new RegExp(`^  (http\\S+/webhooks/${name}/[0-9a-f-]{36})$`, 'm').exec(first.stdout) ?? [];
        const label = `${name[0]?.toUpperCase()}${name.slice(1)}`;
        await server.request
          .get(new URL(url).pathname)
          .expect(200, `Countersign endpoint for ${label} webhooks\n`);
        expect(first.stdout).not.toMatch(MARKS);
        const again = await set(name, options, '--json');
        expect(again.json).toMatchObject({ provider: name, mode: 'test', webhook_url: url });
        const { settings_sealed } = await accountOf(again.json.account_id);
        expect(settings_sealed).not.toMatch(MARKS);
      }),
    );
  });

  test('replaces secrets with an overlap, in which both are taken, or without one', async () => {
    const first = await set('veriff', VERIFF, '--json');
    const url = first.json.webhook_url;
    const next = { ...VERIFF, 'api-key': 'key-two', 'shared-secret': 'secret-two' };
    const rotated = await set('veriff', next, '--overlap', '30m');
    const [, until = ''] = /settings before these are taken until (\S+)\.\n/.exec(rotated.stdout) ?? [];
    const minutes = (Date.parse(until) - Date.now()) / 60_000;
    expect(minutes).toBeGreaterThan(25);
    expect(minutes).toBeLessThanOrEqual(30);
    expect(await answerTo(url, 'key-one', 'secret-one')).toBe(200);
    expect(await answerTo(url, 'key-two', 'secret-two')).toBe(200);
    expect(await answerTo(url, 'key-two', 'secret-one')).toBe(401);
    // Nothing is replaced: the overlap goes on as it was.
    const same = await set('veriff', next, '--allowed-ips', 'any');
    expect(same.stdout).toContain(`taken until ${until}`);
    expect(await answerTo(url, 'key-one', 'secret-one')).toBe(200);
    // Unless somebody says that it is over, as after a leak.
    const over = await set('veriff', next, '--overlap', '0', '--json');
    expect(over.json.previous_until).toBeNull();
    expect(await answerTo(url, 'key-one', 'secret-one')).toBe(401);
    await set('veriff', VERIFF, '--overlap', '0');
    expect(await answerTo(url, 'key-one', 'secret-one')).toBe(200);
    expect(await answerTo(url, 'key-two', 'secret-two')).toBe(401);
  });

  test('keeps the list of addresses unless another is given: its own, the published one, any', async () => {
    const listed = async (...more: string[]) => {
      const ran = await set('veriff', VERIFF, ...more, '--json');
      expect(ran.stderr).toBe('');
      return (await accountOf(ran.json.account_id)).allowed_ips;
    };
    expect(await listed('--allowed-ips', ' 192.0.2.7, 2001:db8::/32,10.0.0.0/8')).toEqual([
      ...['192.0.2.7', '2001:db8::/32', '10.0.0.0/8'],
    ]);
    expect(await listed()).toEqual(['192.0.2.7', '2001:db8::/32', '10.0.0.0/8']);
    const published = await listed('--allowed-ips', 'published');
    expect(published).toEqual(expect.arrayContaining(['100.20.120.34', '18.98.6.64/27']));
    const berbix = await set('berbix', BERBIX, '--allowed-ips', 'published', '--json');
    expect((await accountOf(berbix.json.account_id)).allowed_ips).toContain('34.122.149.70');
    expect(await listed('--allowed-ips', 'any')).toEqual([]);
  });

  test('takes the path of a key, and keeps one that it made or was given', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const path = join(folder, 'key.pem');
    writeFileSync(path, pem);
    const publicKey = createPublicKey(pem).export({ type: 'spki', format: 'pem' }).toString().trim();
    const given = await set('passbase', PASSBASE, '--private-key', path);
    expect(given.stdout).toContain(publicKey);
    expect((await set('passbase', PASSBASE)).stdout).toContain(publicKey);
    expect(given.stdout).not.toContain('PRIVATE');
    const missing = await set('passbase', PASSBASE, '--private-key', join(folder, 'nothing.pem'));
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toMatch(/--private-key: there is no file \S+nothing\.pem$/m);
  });

  test.each<[string, string, Record<string, string>, string[], RegExp]>([
    ['a field left out', 'veriff', { 'api-key': 'k' }, [], /--shared-secret, --base-url missing/],
    [
      'a base URL that may not be called',
      'veriff',
      { ...VERIFF, 'base-url': 'http://10.1.2.3' },
      [],
      /--base-url/,
    ],
    ['key and secret alike', 'veriff', { ...VERIFF, 'shared-secret': 'key-one' }, [], /the same as api_key/],
    ['a secret of the other mode', 'berbix', BERBIX, ['--mode', 'live'], /start with secret_live_/],
    ['a secret that is too short', 'passbase', { ...PASSBASE, 'webhook-secret': 'short' }, [], /exactly 32/],
    [
      'what is no network',
      'veriff',
      VERIFF,
      ['--allowed-ips', '10/8'],
      /--allowed-ips: "10\/8" is not a network/,
    ],
    [
      'an empty network',
      'veriff',
      VERIFF,
      ['--allowed-ips', '192.0.2.1,'],
      /--allowed-ips: "" is not a network/,
    ],
    ['too many', 'veriff', VERIFF, ['--allowed-ips', '192.0.2.1,'.repeat(101)], /at most 100 networks/],
    [
      'a list nobody publishes',
      'passbase',
      PASSBASE,
      ['--allowed-ips', 'published'],
      /Passbase publishes no addresses/,
    ],
    ['too long an overlap', 'veriff', VERIFF, ['--overlap', '8d'], /at most 7d/],
  ])('refuses %s, and changes nothing', async (_name, provider, options, more, cure) => {
    const before = await server.db.selectFrom('provider_accounts').selectAll().orderBy('id').execute();
    const ran = await set(provider, options, ...more);
    expect(ran.code).not.toBe(0);
    expect(ran.stdout).toBe('');
    expect(ran.stderr).toMatch(cure);
    expect(await server.db.selectFrom('provider_accounts').selectAll().orderBy('id').execute()).toEqual(
      before,
    );
  });
});
