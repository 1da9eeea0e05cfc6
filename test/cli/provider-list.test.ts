import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { isoTime } from '../../src/challenges/present.ts';
import { runCli } from '../support/cli.ts';
import { insertInbound, insertRefusal } from '../support/inbound.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const SETTINGS = { api_key: 'key-4711', shared_secret: 'secret-4712', base_url: 'https://veriff.example' };

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api', env: { PUBLIC_URL: 'https://verify.example.com' } });
});
afterAll(() => server.close());

const list = (...args: string[]) => runCli(['provider', 'list', ...args], server.settings);

test('says what to do while no provider is set up', async () => {
  expect(await list()).toMatchObject({
    ...{ code: 0, stderr: '' },
    stdout: 'No provider is set up; see `countersign provider set --help`.\n',
  });
  expect((await list('--json')).json).toEqual({ accounts: [] });
});

test('shows the accounts of both modes, what they take, and whether their webhooks come in', async () => {
  const { db } = server;
  const veriff = await server.provider('veriff', SETTINGS);
  const berbix = await server.provider('berbix', SETTINGS);
  const live = await server.provider('veriff', SETTINGS, { mode: 'live' });
  const { tenant_id } = await server.integration({ newTenant: true });
  await server.provider('passbase', SETTINGS, { tenant_id });
  const previous_until = new Date(Date.now() + 3_600_000);
  await db
    .updateTable('provider_accounts')
    .set({ allowed_ips: ['192.0.2.0/24', '2001:db8::/32'], previous_until, previous_sealed: 'before' })
    .where('id', '=', live)
    .execute();
  await insertInbound(db, veriff, {
    kind: 'decision',
    outcome: 'applied',
    received_at: new Date('2026-01-01'),
  });
  const last = { received_at: new Date('2026-01-02T03:04:05Z'), kind: 'event', outcome: 'recorded' };
  await insertInbound(db, veriff, last);
  await insertRefusal(db, veriff, { received_at: new Date('2026-01-03'), copies: 1 });
  await insertRefusal(db, veriff, { received_at: new Date('2026-01-04T00:00:00Z'), copies: 12 });

  const { code, stdout } = await list();
  expect(code).toBe(0);
  const url = 'https://verify.example.com/webhooks';
  expect(stdout.trim().split('\n\n')).toEqual([
    [
      'veriff, test mode (default)',
      `  account            ${veriff}`,
      `  webhook URL        ${url}/veriff/${veriff}`,
      '  allowed networks   any',
      '  last webhook       2026-01-02T03:04:05Z  event, recorded, from 192.0.2.1',
      '  last refused       2026-01-04T00:00:00Z  not_authentic, 12 times, from 192.0.2.1',
    ].join('\n'),
    [
      'berbix, test mode',
      `  account            ${berbix}`,
      `  webhook URL        ${url}/berbix/${berbix}`,
      '  allowed networks   any',
      '  last webhook       none yet',
    ].join('\n'),
    [
      'veriff, live mode (default)',
      `  account            ${live}`,
      `  webhook URL        ${url}/veriff/${live}`,
      '  allowed networks   192.0.2.0/24, 2001:db8::/32',
      `  settings before    webhooks under them are taken until ${isoTime(previous_until)}`,
      '  last webhook       none yet',
    ].join('\n'),
  ]);

  const json = await list('--json');
  expect(json.stdout).not.toMatch(/471[12]|sealed/);
  expect(json.json.accounts).toEqual([
    expect.objectContaining({
      ...{ account_id: veriff, is_default: true, last_webhook: expect.objectContaining({ kind: 'event' }) },
      last_refused: expect.objectContaining({ copies: 12 }),
    }),
    expect.objectContaining({
      account_id: berbix,
      is_default: false,
      last_webhook: null,
      last_refused: null,
    }),
    expect.objectContaining({ account_id: live, previous_until: isoTime(previous_until) }),
  ]);
});
