import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sealContext } from '../../src/providers/store.ts';
import { startServer } from '../support/server.ts';
import { BERBIX, PASSBASE, setProvider, VERIFF } from '../support/provider-options.ts';
import type { TestServer } from '../support/server.ts';

/** Each command takes a second until every server has noticed. */
const MANY_COMMANDS_MS = 120_000;

let server: TestServer;
let folder: string;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
  folder = mkdtempSync(join(tmpdir(), 'countersign-secrets-'));
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const set = (provider: string, options: Record<string, string>, ...more: string[]) =>
  setProvider(server.settings, provider, options, more);
const settingsOf = async (id: unknown) => {
  const { settings_sealed } = await server.db
    .selectFrom('provider_accounts')
    .select('settings_sealed')
    .where('id', '=', String(id))
    .executeTakeFirstOrThrow();
  const text = server.sealer.unseal(settings_sealed, sealContext.settings(String(id)));
  return JSON.parse(text) as Record<string, string>;
};

test(
  'keeps an optional secret that is not entered again, until it is taken away or the address is another',
  async () => {
    const secretsAfter = async (more: Record<string, string>, overlap = '0') => {
      const ran = await set('berbix', { ...BERBIX, overlap, ...more }, '--json');
      expect(ran.stderr).toBe('');
      const { status_secret, progress_secret, finished_secret } = await settingsOf(ran.json.account_id);
      return [status_secret, progress_secret, finished_secret];
    };
    const finished = BERBIX['finished-secret'];
    const both = { 'status-secret': 'status-1', 'progress-secret': 'progress-1' };
    expect(await secretsAfter(both)).toEqual(['status-1', 'progress-1', finished]);
    expect(await secretsAfter({})).toEqual(['status-1', 'progress-1', finished]);
    expect(await secretsAfter({ 'finished-secret': 'f-2', 'status-secret': 'status-2' })).toEqual([
      ...['status-2', 'progress-1', 'f-2'],
    ]);
    expect(await secretsAfter({ 'progress-secret': '' })).toEqual(['status-2', '', finished]);
    const elsewhere = { 'base-url': server.url };
    expect(await secretsAfter({ ...elsewhere, ...both })).toEqual(['status-1', 'progress-1', finished]);
    expect(await secretsAfter(elsewhere)).toEqual(['status-1', 'progress-1', finished]);
    // Back at the real one: what was another's is worth nothing there.
    expect(await secretsAfter({})).toEqual(['', '', finished]);
  },
  MANY_COMMANDS_MS,
);

test(
  'takes any value from a file, so that nobody sees it among the processes',
  async () => {
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return `@${join(folder, name)}`;
    };
    const options = {
      ...{ 'api-key': file('key', 'sk_file'), slug: file('slug', 'acme\r\n') },
      'webhook-secret': file('secret', `${PASSBASE['webhook-secret']}\n`),
    };
    const ran = await set('passbase', options, '--json');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(await settingsOf(ran.json.account_id)).toMatchObject({
      ...{ api_key: 'sk_file', slug: 'acme', webhook_secret: PASSBASE['webhook-secret'] },
    });
    const wrong: [string, RegExp][] = [
      [`@${join(folder, 'nothing')}`, /--slug: there is no file \S+nothing$/m],
      [file('empty', '\n'), /--slug: there is nothing in .*empty/],
      [file('lines', 'acme\nacme\n'), /last part of the hosted link/],
    ];
    for (const [slug, cure] of wrong) {
      const refused = await set('passbase', { ...options, slug });
      expect(refused).toMatchObject({ stdout: '', stderr: expect.stringMatching(cure) });
    }
  },
  MANY_COMMANDS_MS,
);

test(
  'refuses the key or the secret of the other mode, in both directions',
  async () => {
    const own = { 'api-key': 'key-live', 'shared-secret': 'secret-live' };
    await set('veriff', VERIFF);
    const live = (options: Record<string, string>) =>
      set('veriff', { ...VERIFF, ...own, ...options, mode: 'live' });
    for (const option of ['api-key', 'shared-secret'] as const) {
      const ran = await live({ [option]: VERIFF[option] });
      expect(ran).toMatchObject({ code: 2, stdout: '' });
      expect(ran.stderr).toContain(
        `--${option} is the same as in test mode; take the one that Veriff has for`,
      );
      expect(ran.stderr).not.toMatch(/key-one|secret-one/);
    }
    // The address is the same in both.
    expect(await live({})).toMatchObject({ code: 0 });
    const back = await set('veriff', { ...VERIFF, 'shared-secret': own['shared-secret'] });
    expect(back.stderr).toContain('--shared-secret is the same as in live mode');
    expect(await set('veriff', VERIFF)).toMatchObject({ code: 0 });
  },
  MANY_COMMANDS_MS,
);
