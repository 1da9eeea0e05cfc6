import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SUPERSEDED, TIMED_OUT } from '../../src/signin/attempts-store.ts';
import { methods } from '../../src/signin/index.ts';
import { runCli } from '../support/cli.ts';
import { setIdp } from '../support/idp.ts';
import { CLIENT, startOidcIdp } from '../support/oidc-idp.ts';
import type { OidcIdp } from '../support/oidc-idp.ts';
import { openIdpAt } from '../support/oidc-method.ts';
import { metadataOf } from '../support/saml-answer.ts';
import { createSigner } from '../support/saml-keys.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/sign-in.md');

let server: TestServer;
let idp: OidcIdp;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-document-'));
  idp = await startOidcIdp({ redirectUri: `${HTTPS.PUBLIC_URL}/auth/callback/oidc` });
  server = await startServer({ role: 'api', env: HTTPS });
});
afterAll(async () => {
  await server.close();
  await idp.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The commands of the page, in their order. */
const commands = [...page.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, block = '']) =>
  block.split('\n').filter((line) => line.startsWith('countersign ')),
);

test('every command of the page runs as it stands there', async () => {
  expect(commands.length).toBeGreaterThan(15);
  const at = (name: string) => join(folder, name);
  const [file, metadata, key] = [at('secret'), at('metadata.xml'), at('key')];
  const signer = createSigner();
  writeFileSync(file, `${CLIENT.client_secret}\n`);
  writeFileSync(metadata, metadataOf([signer]));
  writeFileSync(key, signer.key);
  const values: { [placeholder: string]: string } = {
    ...{ issuer: idp.issuer, 'client id': CLIENT.client_id, file },
    ...{ 'metadata file': metadata, 'key file': key },
  };
  for (const command of commands) {
    // The page takes away one that the reader has; the first one has the path that this IdP knows.
    if (command.includes(' idp remove '))
      await setIdp(server, 'oidc', openIdpAt('https://login.example').settings, { mode: 'live' });
    const filled = command.replace(/<([^>]+)>/g, (_, name: string) => values[name] ?? 'value');
    const ran = await runCli((filled.match(/\S+/g) ?? []).slice(1), server.settings);
    expect([filled, ran.code, ran.stderr]).toEqual([filled, 0, '']);
  }
}, 120_000);

test('the page names every field, and every reason with what to do', () => {
  for (const { fields } of Object.values(methods))
    for (const field of Object.keys(fields)) expect(page).toContain(`\`--${field.replaceAll('_', '-')}\``);
  const [, type = ''] = /export type Reason =([^;]*);/.exec(read('src/signin/method.ts')) ?? [];
  const reasons = [...type.matchAll(/'(\w+)'/g)].map(([, reason = '']) => reason);
  expect(reasons.length).toBeGreaterThan(15);
  for (const reason of [...reasons, SUPERSEDED, TIMED_OUT])
    expect(page).toMatch(new RegExp(`^\\| \`${reason}\` +\\| [^|]+ \\| [^|]+ \\|$`, 'm'));
});

test('links within the page lead somewhere', () => {
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
  const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
  expect(links.length).toBeGreaterThan(3);
  for (const anchor of links) expect(headings).toContain(anchor);
});
