import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { request as plainRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { findBrand, saveBrand } from '../../src/tenants/brand-store.ts';
import { findFirstTenant, insertTenant } from '../../src/tenants/store.ts';
import { ASSETS, assetUrl } from '../../src/web/files.ts';
import { TEXTS } from '../../src/web/texts/index.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { BRAND } from './gallery.ts';

const FOREVER = 'public, max-age=31536000, immutable';
const LOGO = Buffer.from('\x89PNG\r\n\x1a\nand so on', 'latin1');

let server: TestServer;
let tenantId: string;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
  tenantId = (await findFirstTenant(server.db))?.id ?? '';
  const { name, support } = BRAND;
  await saveBrand(server.db, tenantId, {
    name: name ?? '',
    support,
    logo: { bytes: LOGO, type: 'image/png' },
  });
});
afterAll(() => server.close());

/** The bytes as they travel. */
function get(path: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; bytes: Buffer }>(
    (resolve, reject) => {
      plainRequest(`${server.url}${path}`, { headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          const { statusCode: status = 0, headers: sent } = answer;
          resolve({ status, headers: sent, bytes: Buffer.concat(chunks) });
        });
      })
        .on('error', reject)
        .end();
    },
  );
}
const startPath = async (body: Record<string, unknown> = {}) => {
  const { pathname, search } = new URL((await server.create(body)).verification_url);
  return `${pathname}${search}`;
};

describe('a file of the pages', () => {
  test.each(ASSETS.map(({ name, type, bytes }) => [name, type, bytes] as const))(
    '%s is kept for ever under its version, and travels compressed as the client takes it',
    async (name, type, bytes) => {
      for (const [accepted, encoding, decode] of [
        ['gzip, deflate, br', 'br', brotliDecompressSync],
        ['gzip', 'gzip', gunzipSync],
        ['br;q=0, gzip;q=0', undefined, (sent: Buffer) => sent],
      ] as const) {
        const answer = await get(assetUrl(name), { 'accept-encoding': accepted });
        expect(answer).toMatchObject({
          status: 200,
          headers: {
            'content-type': type,
            'cache-control': FOREVER,
            vary: 'Accept-Encoding',
            'x-content-type-options': 'nosniff',
          },
        });
        expect(answer.headers['content-encoding']).toBe(encoding);
        expect(decode(answer.bytes)).toEqual(bytes);
      }
    },
  );

  test('is asked for again when its version is another, as while a new server takes over from an old one', async () => {
    for (const path of ['/assets/countersign.css', '/assets/countersign.css?v=0123456789abcdef'])
      expect(await get(path)).toMatchObject({ status: 200, headers: { 'cache-control': 'no-cache' } });
    expect((await get('/assets/pico.css')).status).toBe(404);
    expect((await server.request.post('/assets/countersign.css')).status).toBe(405);
  });
});

describe('a logo', () => {
  const logoPath = async () => `/assets/logo/${tenantId}/${(await findBrand(server.db, tenantId)).logo}`;

  test('is a picture, kept for ever, that may do nothing', async () => {
    expect(await get(await logoPath())).toMatchObject({
      status: 200,
      bytes: LOGO,
      headers: {
        'content-type': 'image/png',
        'cache-control': FOREVER,
        'content-security-policy': "default-src 'none'",
        'x-content-type-options': 'nosniff',
      },
    });
  });

  test('has another address when it changes', async () => {
    const before = await logoPath();
    const other = Buffer.concat([LOGO, Buffer.from('!')]);
    await saveBrand(server.db, tenantId, { logo: { bytes: other, type: 'image/png' } });
    expect(await logoPath()).not.toBe(before);
    expect(await get(before)).toMatchObject({ bytes: other, headers: { 'cache-control': 'no-cache' } });
    await saveBrand(server.db, tenantId, { logo: { bytes: LOGO, type: 'image/png' } });
    expect(await logoPath()).toBe(before);
  });

  test('is not there for others', async () => {
    for (const tenant of [randomUUID(), 'nobody', '%00'])
      expect((await get(`/assets/logo/${tenant}/1`)).status).toBe(404);
  });
});

describe('a page', () => {
  test('is kept by nobody, followed by no search engine, and may load from here alone', async () => {
    const { status, headers } = await get(await startPath());
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-robots-tag': 'noindex, nofollow',
      'referrer-policy': 'no-referrer',
    });
    const policy = String(headers['content-security-policy']).split(';').sort();
    expect(policy).toEqual([
      "base-uri 'none'",
      "connect-src 'self'",
      "default-src 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
      "img-src 'self'",
      "script-src 'self'",
      "style-src 'self'",
    ]);
  });

  test('has these headers and no others', async () => {
    const { headers } = await get(await startPath());
    expect(Object.keys(headers).sort()).toEqual([
      ...['cache-control', 'connection', 'content-language', 'content-length', 'content-security-policy'],
      ...['content-type', 'cross-origin-opener-policy', 'cross-origin-resource-policy', 'date', 'keep-alive'],
      ...['referrer-policy', 'set-cookie', 'x-content-type-options', 'x-frame-options', 'x-request-id'],
      'x-robots-tag',
    ]);
  });

  test('is not compressed: it holds a secret beside what others wrote', async () => {
    const page = await get(await startPath(), { 'accept-encoding': 'gzip, br' });
    expect(page.headers['content-encoding']).toBeUndefined();
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
  });

  test('shows the logo under its address', async () => {
    const { logo } = await findBrand(server.db, tenantId);
    const html = (await get(await startPath())).bytes.toString();
    expect(html).toContain(`<div class="logo"><img src="/assets/logo/${tenantId}/${logo}" alt/></div>`);
  });
});

describe('the language of a page', () => {
  /** Beside the one that names the browser. */
  const languageCookies = ({ headers }: { headers: IncomingHttpHeaders }) =>
    (headers['set-cookie'] ?? []).filter((cookie) => cookie.startsWith('countersign_lang='));
  const languageOf = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await get(path, headers);
    const [, lang] = /<html lang="(\w+)">/.exec(answer.bytes.toString()) ?? [];
    expect(answer.headers['content-language']).toBe(lang);
    return lang;
  };

  test.each([
    [undefined, 'en'],
    ['de', 'de'],
    ['de-AT', 'de'],
    ['DE-ch,en;q=0.5', 'de'],
    ['en-US,en;q=0.9,de;q=0.8', 'en'],
    ['fr,de;q=0.5', 'de'],
    ['fr', 'en'],
    ['*', 'en'],
    ['de;q=0', 'en'],
    [',,;q=x', 'en'],
  ])('for a browser that wants %s is %s', async (wanted, lang) => {
    const headers = wanted === undefined ? {} : { 'accept-language': wanted };
    expect(await languageOf(await startPath(), headers)).toBe(lang);
  });

  test('is the one that was chosen last, before the one the browser wants', async () => {
    const path = await startPath();
    const chosen = await get(`${path}&lang=de`, { 'accept-language': 'en' });
    expect(languageCookies(chosen)).toEqual([
      expect.stringMatching(
        /^countersign_lang=de; Max-Age=31536000; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/,
      ),
    ]);
    const cookie = 'other=1; countersign_lang=de; more=2';
    expect(await languageOf(path, { 'accept-language': 'en', cookie })).toBe('de');
    expect(await languageOf(`${path}&lang=en`, { 'accept-language': 'de', cookie })).toBe('en');
  });

  test('that there is not changes nothing and is not remembered', async () => {
    const answer = await get(`${await startPath()}&lang=fr`, { cookie: 'countersign_lang=fr' });
    expect(languageCookies(answer)).toEqual([]);
    expect(answer.bytes.toString()).toContain('<html lang="en">');
  });

  test('is remembered also inside a frame of another site', async () => {
    const answer = await get(`${await startPath()}&lang=de`, { 'sec-fetch-dest': 'iframe' });
    expect(answer.status).toBe(403);
    expect(answer.headers['set-cookie']).toEqual([
      expect.stringMatching(/^countersign_lang=de; .*Secure; Partitioned; SameSite=None$/),
    ]);
  });

  test('can be changed on the page itself, which stays the same page', async () => {
    const path = await startPath();
    const [, link = ''] =
      /href="([^"]+)" lang="de"/.exec((await get(`${path}&lang=en`)).bytes.toString()) ?? [];
    expect(link.replaceAll('&amp;', '&')).toBe(`${path}&lang=de`);
  });
});

describe('an error on the way of a person', () => {
  test.each([
    ['GET', '/challenge/start/nothing?token=x', 404, 'not_a_link'],
    ['GET', `/challenge/${randomUUID()}/result`, 404, 'not_a_link'],
    ['GET', '/challenge/nowhere/at/all', 404, 'not_a_link'],
    ['PUT', '/challenge/start/nothing', 405, 'not_a_link'],
  ] as const)(
    '%s %s is told in their language, with a number and whom to ask',
    async (method, path, status, kind) => {
      for (const lang of ['en', 'de'] as const) {
        const answer = await server.request[method === 'GET' ? 'get' : 'put'](path).set(
          'Accept-Language',
          lang,
        );
        expect(answer.status).toBe(status);
        expect(answer.text).toContain(`<html lang="${lang}">`);
        expect(answer.text).toContain(`<h1>${TEXTS[lang].stops[kind].title}</h1>`);
        expect(answer.text).toContain(`<code>${answer.headers['x-request-id']}</code>`);
        expect(answer.text).toContain('Example &amp; Sons');
        expect(answer.text).toContain('mailto:help@example.com');
        expect(answer.headers['x-robots-tag']).toBe('noindex, nofollow');
      }
    },
  );

  test('names the tenant of the challenge when there are several, and nobody when it belongs to none', async () => {
    const path = await startPath();
    await insertTenant(server.db, 'Another');
    const known = await server.request
      .post(path)
      .type('form')
      .send({ token: path.split('token=')[1] });
    expect(known.status).toBe(400);
    expect(known.text).toContain(TEXTS.en.stops.no_click.title);
    expect(known.text).toContain('Example &amp; Sons');
    expect(known.text).toContain('mailto:help@example.com');
    const unknown = await server.request.get(`/challenge/${randomUUID()}/result`);
    expect(unknown.text).not.toMatch(/Example|Another|mailto/);
    expect(unknown.text).toContain(TEXTS.en.support.none);
  });
});
