import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_LOGO_BYTES } from '../../src/tenants/brand.ts';
import { runCli } from '../support/cli.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
let folder: string;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
  folder = mkdtempSync(join(tmpdir(), 'countersign-logo-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await server.close();
});

const cli = (...args: string[]) => runCli(['tenant', ...args], server.settings);
/** What a person sees. */
const page = async () => {
  const { pathname, search } = new URL((await server.create()).verification_url);
  return (await server.request.get(`${pathname}${search}`)).text;
};
function file(name: string, start: string, size = 1_000): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(size - start.length)]));
  return path;
}

test('the name is on every page at once; before, there is none', async () => {
  expect((await cli('show', '--json')).json).toMatchObject({ name: null, logo: null, support: {} });
  expect(await page()).not.toContain('Default');
  const set = await cli('set-name', '--name', ' Example & Söhne ');
  expect(set).toMatchObject({ code: 0, stderr: '' });
  expect(set.stdout).toBe('People now read "Example & Söhne" on every page.\n');
  expect(await page()).toContain('Example &amp; Söhne');
  expect((await cli('set-name', '--name', 'a\u202Eb')).stderr).toContain('visible characters');
  expect(await cli('set-name')).toMatchObject({ code: 2, stderr: expect.stringContaining('--name missing') });
  expect((await cli('set-name', '--name', '')).stdout).toBe('Pages name nobody any more.\n');
  expect((await cli('show')).stdout).toContain('name: (none: see `countersign tenant set-name`)\n');
  expect(await page()).not.toMatch(/Example|Default/);
  expect((await cli('set-name', '--help')).stdout).toContain('(required) ("" takes it away)');
});

test('contacts are on every page at once, and are taken away by an empty text', async () => {
  const set = await cli('set-support', '--email', 'help@example.com', '--phone', '+49 (0)30 123-4');
  expect(set).toMatchObject({ code: 0, stderr: '' });
  expect(set.stdout).toBe('People may ask:\n  email: help@example.com\n  phone: +49 (0)30 123-4\n');
  const html = await page();
  for (const href of ['mailto:help@example.com', 'tel:+49301234']) expect(html).toContain(`href="${href}"`);
  const refused = await cli('set-support', '--url', 'javascript:alert(1)');
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain('url must be an http or https address');
  expect((await cli('set-support', '--email', '', '--json')).json).toEqual({
    support: { phone: '+49 (0)30 123-4' },
  });
  expect(await page()).not.toContain('mailto:');
  expect(await cli('set-support')).toMatchObject({ code: 2, stderr: expect.stringContaining('--email') });
});

test('contacts stand in one order, however they were entered', async () => {
  await cli(
    'set-support',
    '--url',
    'https://help.example.com',
    '--slack',
    '#help',
    '--email',
    'help@example.com',
  );
  const lines = [
    ...['  email: help@example.com', '  phone: +49 (0)30 123-4', '  slack: #help'],
    '  url: https://help.example.com',
  ];
  expect((await cli('set-support', '--slack', '#help')).stdout).toContain(lines.join('\n'));
  expect((await cli('show')).stdout).toContain(lines.join('\n'));
  const { support } = (await cli('show', '--json')).json;
  expect(Object.keys(support as object)).toEqual(['email', 'phone', 'slack', 'url']);
});

test('the logo is on every page at once; what is none is refused, and changes nothing', async () => {
  const set = await cli('set-logo', '--file', file('logo.png', '\x89PNG\r\n\x1a\n', MAX_LOGO_BYTES));
  expect(set).toMatchObject({ code: 0, stderr: '' });
  for (const [path, why] of [
    [file('logo.svg', '<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>'), /PNG, JPEG or WebP/],
    [
      file('large.png', '\x89PNG\r\n\x1a\n', MAX_LOGO_BYTES + 1),
      /16385 bytes; a logo may have at most 16384/,
    ],
    [join(folder, 'nothing.png'), /there is no file/],
  ] as const) {
    const ran = await cli('set-logo', '--file', path);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(why);
  }
  const { id, logo } = (await cli('show', '--json')).json;
  const path = `/assets/logo/${String(id)}/${String(logo)}`;
  expect(await page()).toContain(`src="${path}"`);
  expect(((await server.request.get(path)).body as Buffer).length).toBe(MAX_LOGO_BYTES);
  expect((await cli('set-logo', '--file', '')).stdout).toBe('Pages show no logo any more.\n');
  expect(await page()).not.toContain('<img');
  expect((await cli('show')).stdout).toContain('logo: (none)');
});
