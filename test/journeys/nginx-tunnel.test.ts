import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sealContext } from '../../src/providers/store.ts';
import { authHeaders } from '../../src/simulators/veriff-auth.ts';
import { API_KEY, SECRET } from '../fixtures/veriff/vectors.ts';
import { startNginx } from '../support/nginx.ts';
import type { Nginx } from '../support/nginx.ts';
import { CLICK } from '../support/person.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

/** What cloudflared on the same machine is told to forward to. */
const WHOLE = 'http://verify.example.com:8720';
const WEBHOOKS = 'http://veriffwh.example.com:8720';
const FORGED = { 'x-forwarded-for': '203.0.113.7', 'x-real-ip': '203.0.113.7' };

let server: TestServer;
let account: string;
let nginx: Nginx;
beforeAll(async () => {
  server = await startServer({ env: { PUBLIC_URL: 'https://verify.example.com', TRUST_PROXY: '1' } });
  const settings = { api_key: API_KEY, shared_secret: SECRET, base_url: 'https://veriff.example' };
  // In live mode, so that challenges in test mode go to the sandbox.
  account = await server.provider('veriff', settings, { mode: 'live' });
  nginx = await startNginx({
    upstream: new URL(server.url).host,
    account,
    configs: ['cloudflare-tunnel.conf'],
  });
});
afterAll(() => server.close());
afterAll(() => nginx.close());

/** Presses Start through the tunnel's port; returns the address in the audit trail. */
async function addressSeen(headers: Record<string, string>, from = '127.0.0.1'): Promise<unknown> {
  const created = await server.create();
  const { pathname, searchParams } = new URL(created.verification_url);
  const answer = await nginx.request(WHOLE + pathname, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams({ token: searchParams.get('token') ?? '', ...CLICK }).toString(),
    from,
  });
  expect(answer.status).toBe(303);
  const entry = await server.db
    .selectFrom('audit_entries')
    .select('detail')
    .where('challenge_id', '=', created.challenge_id)
    .where('actor', '=', 'target')
    .executeTakeFirstOrThrow();
  return (entry.detail as { ip?: unknown }).ip;
}

describe('the address of a client behind a Cloudflare tunnel', () => {
  test.each([['198.51.100.20'], ['2001:db8::7']])(
    'is %s, as CF-Connecting-IP says and X-Forwarded-For does not',
    async (address) => {
      expect(await addressSeen({ ...FORGED, 'cf-connecting-ip': address })).toBe(address);
    },
  );

  test('is believed from 127.0.0.1 alone', async () => {
    const headers = { ...FORGED, 'cf-connecting-ip': '198.51.100.20' };
    expect(await addressSeen(headers, '127.0.0.2')).toBe('127.0.0.2');
  });

  test('is the peer of nginx when the header of Cloudflare is missing or no address', async () => {
    expect(await addressSeen(FORGED)).toBe('127.0.0.1');
    expect(await addressSeen({ ...FORGED, 'cf-connecting-ip': 'nobody' })).toBe('127.0.0.1');
  });
});

describe('the hostname for webhooks behind a Cloudflare tunnel', () => {
  const post = (body: Buffer, to = `${WEBHOOKS}/`) =>
    nginx.request(to, {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', 'cf-connecting-ip': '34.254.42.181' },
        ...authHeaders({ apiKey: API_KEY, secret: SECRET }, body, 'x'),
      },
      body,
    });

  test('takes a signed webhook byte for byte, with the address of its sender, and says in a browser where it leads', async () => {
    const body = Buffer.from('{"comes":"through the tunnel – ✓"}');
    expect((await post(body)).status).toBe(200);
    const row = await server.db
      .selectFrom('inbox')
      .select(['id', 'address', 'body_sealed'])
      .where('body_sealed', 'is not', null)
      .executeTakeFirstOrThrow();
    const text = server.sealer.unseal(row.body_sealed ?? '', sealContext.body(row.id));
    expect(text).toBe(body.toString());
    expect(row.address).toBe('34.254.42.181');
    const answer = await nginx.request(`${WEBHOOKS}/`);
    expect(answer.text).toBe('Countersign endpoint for Veriff webhooks\n');
  });

  test('refuses more than 256 KiB with 413, and any other path with 404', async () => {
    expect((await post(Buffer.alloc(300 * 1_024, 'x'))).status).toBe(413);
    for (const path of [`/webhooks/veriff/${account}`, '/api/v1/challenges', '/healthz', '//healthz']) {
      expect((await post(Buffer.from('{}'), WEBHOOKS + path)).status).toBe(404);
    }
  });
});

describe('all of Countersign behind a Cloudflare tunnel', () => {
  test('is there under its own name, with paths as long as Countersign takes', async () => {
    expect((await nginx.request(`${WHOLE}/healthz`)).status).toBe(200);
    expect((await nginx.request(`${WHOLE}/${'long/'.repeat(2_500)}`)).text).toContain('not_found');
  });

  test('but for metrics, and under no other name', async () => {
    expect((await nginx.request(`${WHOLE}/Metrics`)).text).toContain('nginx');
    for (const name of ['other.example.com', 'localhost', '127.0.0.1']) {
      expect((await nginx.request(`http://${name}:8720/healthz`)).status).toBe(404);
    }
  });
});
