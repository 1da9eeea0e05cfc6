import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startNginx, CONFIGS } from '../support/nginx.ts';
import type { Nginx } from '../support/nginx.ts';
import { CLICK } from '../support/person.ts';
import { freePort } from '../support/redis.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const ORIGIN = 'https://verify.example.com';
const FORGED = { 'x-forwarded-for': '203.0.113.7, 203.0.113.8', 'x-real-ip': '203.0.113.7' };

let server: TestServer;
let nginx: Nginx;
beforeAll(async () => {
  server = await startServer({ env: { PUBLIC_URL: ORIGIN, TRUST_PROXY: '1' } });
  nginx = await startNginx({ upstream: new URL(server.url).host });
});
afterAll(() => server.close());
afterAll(() => nginx.close());

/** Creates a challenge the way a caller on the internet does. */
async function create(): Promise<Created> {
  const headers = { 'x-api-key': server.apiKey, 'content-type': 'application/json' };
  const body = JSON.stringify({ target_user_email: 'ada@example.com' });
  const answer = await nginx.request(`${ORIGIN}/api/v1/challenges`, { method: 'POST', headers, body });
  expect(answer.status).toBe(201);
  return JSON.parse(answer.text) as Created;
}

const tokenOf = (created: Created) => new URL(created.verification_url).searchParams.get('token') ?? '';

/** Presses Start from `from`; returns the answer and the address that the audit trail holds. */
async function start(created: Created, from: string, headers: Record<string, string> = {}) {
  const { challenge_id: id } = created;
  const answer = await nginx.request(`${ORIGIN}/challenge/start/${id}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams({ token: tokenOf(created), ...CLICK }).toString(),
    from,
  });
  const entries = await server.db
    .selectFrom('audit_entries')
    .select('detail')
    .where('challenge_id', '=', id)
    .where('actor', '=', 'target')
    .execute();
  return { answer, addresses: entries.map(({ detail }) => (detail as { ip?: string }).ip) };
}

describe('nginx accepts', () => {
  test.each(CONFIGS.map((config) => [config]))('%s alone', async (config) => {
    const alone = await startNginx({ upstream: '127.0.0.1:9', configs: [config] });
    await alone.close();
    expect(alone.tested.text).toMatch(/syntax is ok[^]*test is successful/);
    expect(alone.tested.text).not.toMatch(/warn|emerg/);
    expect(alone.tested.status).toBe(0);
  });

  test('all of them together', () => {
    expect(nginx.tested).toMatchObject({ status: 0 });
    expect(nginx.tested.text).not.toMatch(/warn|emerg/);
  });
});

describe('the whole server by https', () => {
  test('a challenge is created, its page opens, and Start binds the browser with a secure cookie', async () => {
    const created = await create();
    expect(created.verification_url).toMatch(`${ORIGIN}/challenge/start/`);
    const page = await nginx.request(created.verification_url);
    expect(page.status).toBe(200);
    expect(page.text).toMatch(/prove who you are with .?the sandbox/);
    expect(page.headers['strict-transport-security']).toBeDefined();
    const { answer } = await start(created, '127.0.0.1');
    expect(answer.status).toBe(303);
    expect(answer.headers['set-cookie']).toMatch(/; HttpOnly; Secure/);
  });

  test('the address of a person is the one nginx saw, whatever headers they send', async () => {
    const forged = { ...FORGED, 'cf-connecting-ip': '203.0.113.9', forwarded: 'for=203.0.113.7' };
    expect((await start(await create(), '127.0.0.2', forged)).addresses).toEqual(['127.0.0.2']);
    expect((await start(await create(), '127.0.0.3')).addresses).toEqual(['127.0.0.3']);
  });

  test('a request line as long as Countersign takes reaches it', async () => {
    const answer = await nginx.request(`${ORIGIN}/${'long/'.repeat(2_500)}?${'q'.repeat(1_000)}`);
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'not_found' });
  });

  test('a body beyond 256 KiB is refused with 413, before Countersign hears of it', async () => {
    const answer = await nginx.request(`${ORIGIN}/api/v1/challenges`, {
      method: 'POST',
      headers: { 'x-api-key': server.apiKey, 'content-type': 'application/json' },
      body: Buffer.alloc(300 * 1_024, ' '),
    });
    expect(answer.status).toBe(413);
    expect(answer.text).toContain('nginx');
  });

  test('pages are not compressed: they hold a token', async () => {
    const { verification_url } = await create();
    const page = await nginx.request(verification_url, { headers: { 'accept-encoding': 'gzip' } });
    expect(page.headers['content-encoding']).toBeUndefined();
    expect(page.text).toContain('<html');
  });

  test('metrics are for Prometheus inside, however the path is written', async () => {
    expect((await server.request.get('/Metrics/')).status).toBe(200);
    for (const path of [
      'metrics',
      'metrics/',
      'Metrics',
      '%6detrics',
      '/metrics',
      'x/../metrics',
      'x/%2e%2e/metrics',
      'metrics?x',
    ]) {
      const answer = await nginx.request(`${ORIGIN}/${path}`);
      expect(answer.status).toBe(404);
      expect(answer.text).toContain('nginx');
    }
    expect((await nginx.request(`${ORIGIN}/healthz`)).status).toBe(200);
  });

  test('plain http leads to https, except where certbot proves the name', async () => {
    const answer = await nginx.request('http://verify.example.com/challenge/start/1?token=t');
    expect(answer.status).toBe(308);
    expect(answer.headers.location).toBe(`${ORIGIN}/challenge/start/1?token=t`);
    nginx.put('.well-known/acme-challenge/proof', 'proven');
    const proof = await nginx.request('http://verify.example.com/.well-known/acme-challenge/proof');
    expect(proof).toMatchObject({ status: 200, text: 'proven' });
  });
});

describe('no log holds the token of a link', () => {
  test('neither when it is opened, over https or http, nor when its ? has been mangled', async () => {
    const created = await create();
    const path = `/challenge/start/${created.challenge_id}`;
    await nginx.request(created.verification_url, { headers: { referer: created.verification_url } });
    await nginx.request(created.verification_url.replace('https:', 'http:'));
    await nginx.request(created.verification_url.replace('?', '%3F'));
    const access = await until(() => {
      const text = nginx.logs('countersign_access.log');
      return text.split(`"GET ${path}" `).length === 4 && text;
    }, 'all requests to be logged');
    expect(access).toContain(`"GET ${path}" 200`);
    expect(access).toContain(`"GET ${path}" 308`);
    expect(access).not.toContain(tokenOf(created));
    expect(access).not.toContain('token=');
    expect(nginx.logs('access.log')).toBe('');
  });

  test('nor when Countersign is away', async () => {
    const lonely = await startNginx({ upstream: `127.0.0.1:${await freePort()}` });
    try {
      const url = '/challenge/start/1?token=abcdefgh';
      expect((await lonely.request(ORIGIN + url)).status).toBe(502);
      expect((await lonely.request(`http://verify.example.com:8720${url}`)).status).toBe(502);
      for (const name of ['countersign', 'cloudflare_tunnel']) {
        await until(() => lonely.logs(`${name}_access.log`).includes('"GET /challenge/start/1" 502'), name);
      }
      const all = ['access', 'error', 'start', 'countersign_access', 'countersign_error'];
      for (const name of [...all, 'cloudflare_tunnel_access', 'cloudflare_tunnel_error']) {
        expect(lonely.logs(`${name}.log`)).not.toContain('abcdefgh');
      }
    } finally {
      await lonely.close();
    }
  });
});
