import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { providers } from '../../src/providers/index.ts';
import { LOG_OUTCOMES } from '../../src/providers/log.ts';
import { runCli } from '../support/cli.ts';
import { insertInbound } from '../support/inbound.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const page = readFileSync(new URL('../../docs/providers.md', import.meta.url), 'utf8');
const BODY = '{"says":"nothing"}';

let server: TestServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-document-'));
  server = await startServer({ role: 'api', env: HTTPS });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The commands of the page, in their order. */
const commands = [...page.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, block = '']) =>
  block.split('\n').filter((line) => line.startsWith('countersign ')),
);

test('every command of the page runs as it stands there', async () => {
  expect(commands.length).toBeGreaterThan(10);
  // The page sets its tenant's defaults before the accounts are there; the reader has them.
  const account = await server.provider('veriff', { api_key: 'a', shared_secret: 'b' }, { mode: 'live' });
  const { challenge_id } = await server.create();
  const webhook = await insertInbound(server.db, account);
  const file = join(folder, 'secret');
  writeFileSync(file, 'secret-of-a-file\n');
  const values: { [placeholder: string]: string } = {
    'challenge id': challenge_id,
    'webhook id': webhook,
    file,
    '32 characters': '0123456789abcdef0123456789ABCDEF',
  };
  for (const command of commands) {
    await server.db
      .updateTable('inbox')
      .set({ body_sealed: server.sealer.seal(BODY, `inbox:${webhook}`) })
      .where('id', '=', webhook)
      .execute();
    let made = 0;
    const filled = command.replace(/<([^>]+)>/g, (_, name: string) => values[name] ?? `value-${(made += 1)}`);
    const args = (filled.match(/\S+/g) ?? []).slice(1);
    const ran = await runCli(args, server.settings);
    expect([filled, ran.code, ran.stderr]).toEqual([filled, 0, '']);
  }
}, 180_000);

test('the page names every field of every provider, and every outcome', () => {
  for (const { fields } of Object.values(providers))
    for (const field of Object.keys(fields)) expect(page).toContain(`\`--${field.replaceAll('_', '-')}\``);
  for (const outcome of LOG_OUTCOMES.filter((one) => one !== 'duplicate'))
    expect(page).toMatch(new RegExp(`^\\| \`${outcome}\` `, 'm'));
});
