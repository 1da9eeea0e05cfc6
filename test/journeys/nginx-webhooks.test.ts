import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { untilServersNoticed } from '../../src/cli/rotation.ts';
import { findProvider } from '../../src/providers/index.ts';
import { sealContext } from '../../src/providers/store.ts';
import { authHeaders } from '../../src/simulators/veriff-auth.ts';
import { API_KEY, approved, declined, SECRET, vendorSample } from '../fixtures/veriff/vectors.ts';
import { startNginx } from '../support/nginx.ts';
import type { Nginx } from '../support/nginx.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const KB = 1_024;
const DEDICATED = 'https://veriffwh.example.com/';
const credentials = { apiKey: API_KEY, secret: SECRET };

let server: TestServer;
let account: string;
let nginx: Nginx;
beforeAll(async () => {
  server = await startServer({ env: { PUBLIC_URL: 'https://verify.example.com', TRUST_PROXY: '1' } });
  const settings = { api_key: API_KEY, shared_secret: SECRET, base_url: 'https://veriff.example' };
  account = await server.provider('veriff', settings);
  nginx = await startNginx({ upstream: new URL(server.url).host, account });
});
afterAll(() => server.close());
afterAll(() => nginx.close());

type More = { headers?: Record<string, string>; from?: string };

/** Sends a webhook as Veriff would, signed unless `headers` say otherwise. */
function post(body: Buffer, { headers = {}, from }: More = {}, to = DEDICATED, through = nginx) {
  const signed = { 'content-type': 'application/json', ...authHeaders(credentials, body, 'x'), ...headers };
  return through.request(to, { method: 'POST', headers: signed, body, ...(from ? { from } : {}) });
}

/** The bodies kept so far, in the clear. */
async function keptBodies(): Promise<string[]> {
  const rows = await server.db.selectFrom('inbox').select(['id', 'body_sealed']).execute();
  return rows.flatMap(({ id, body_sealed }) =>
    body_sealed === null ? [] : [server.sealer.unseal(body_sealed, sealContext.body(id))],
  );
}

describe('the dedicated hostname', () => {
  test.each([approved, declined, vendorSample])(
    'hands over a webhook byte for byte, so that its signature holds: $name',
    async ({ body, signature }) => {
      const answer = await post(body, { headers: { 'x-hmac-signature': signature } });
      expect(answer.status).toBe(200);
      expect(await keptBodies()).toContain(body.toString());
    },
  );

  test('hands over a wrong signature too, and it is Countersign that refuses', async () => {
    const answer = await post(approved.body, { headers: { 'x-hmac-signature': '0'.repeat(64) } });
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.text)).toMatchObject({ error: 'Invalid signature' });
  });

  test('says in a browser where it leads', async () => {
    const answer = await nginx.request(DEDICATED);
    expect(answer).toMatchObject({ status: 200, text: 'Countersign endpoint for Veriff webhooks\n' });
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
  });

  test('takes 256 KiB and refuses more with 413', async () => {
    const full = Buffer.from(JSON.stringify({ fills: '' }).padEnd(256 * KB, ' '));
    const before = await keptBodies();
    for (const body of [Buffer.alloc(300 * KB, 'x'), Buffer.concat([full, Buffer.from(' ')])]) {
      const answer = await post(body);
      expect(answer.status).toBe(413);
      expect(answer.text).toContain('nginx');
    }
    expect(await keptBodies()).toHaveLength(before.length);
    expect((await post(full)).status).toBe(200);
  });

  test('answers 404 to everything but / and lets nothing else of the server be seen', async () => {
    const paths = [
      ...[
        `webhooks/veriff/${account}`,
        'api/v1/challenges',
        'challenge/start/1',
        'healthz',
        'readyz',
        'metrics',
      ],
      ...['openapi.yaml', 'index.html', '/healthz', 'x', '%3f', '...', './healthz', 'x/../healthz'],
    ];
    for (const path of paths) {
      const answer = await nginx.request(DEDICATED + path);
      expect([path, answer.status]).toEqual([path, 404]);
      expect(answer.text).toContain('nginx');
    }
    for (const path of ['../healthz', '%2e%2e/healthz', '..%2fhealthz']) {
      expect((await nginx.request(DEDICATED + path)).status).toBe(400);
    }
    expect((await post(approved.body, {}, `${DEDICATED}webhooks/veriff/${account}`)).status).toBe(404);
  });

  test('by plain http knows nothing but the proof that certbot leaves', async () => {
    nginx.put('.well-known/acme-challenge/proof', 'proven');
    const origin = 'http://veriffwh.example.com/';
    expect((await nginx.request(origin)).status).toBe(404);
    const proof = await nginx.request(`${origin}.well-known/acme-challenge/proof`);
    expect(proof).toMatchObject({ status: 200, text: 'proven' });
  });

  test('with its allow-list in force answers 403 to any other address, forged headers or not', async () => {
    const allowing = await startNginx({
      upstream: new URL(server.url).host,
      account,
      configs: ['provider-webhooks.conf'],
      edit: (text) => text.replaceAll(/#(allow|deny)/g, '$1').replace('100.20.120.34', '127.0.0.3'),
    });
    try {
      expect(allowing.tested.status).toBe(0);
      const body = Buffer.from('{"comes":"from an address on the list"}');
      const headers = { 'x-forwarded-for': '127.0.0.3', 'x-real-ip': '127.0.0.3' };
      expect((await post(body, { headers }, DEDICATED, allowing)).status).toBe(403);
      expect(await keptBodies()).not.toContain(body.toString());
      expect((await post(body, { from: '127.0.0.3' }, DEDICATED, allowing)).status).toBe(200);
    } finally {
      await allowing.close();
    }
  });
});

describe('the allow-list of an account', () => {
  const ALLOWED = '127.0.0.4';
  const setList = async (allowed_ips: string[]) => {
    await server.db.updateTable('provider_accounts').set({ allowed_ips }).where('id', '=', account).execute();
    await untilServersNoticed();
  };
  beforeAll(() => setList(['34.254.42.181', `${ALLOWED}/31`]));
  afterAll(() => setList([]));

  test('lets a right address through nginx, and it is written down', async () => {
    const body = Buffer.from('{"comes":"from an allowed address"}');
    expect((await post(body, { from: ALLOWED })).status).toBe(200);
    expect(await keptBodies()).toContain(body.toString());
    const rows = await server.db
      .selectFrom('inbox')
      .select('address')
      .orderBy('id', 'desc')
      .limit(1)
      .execute();
    expect(rows).toEqual([{ address: ALLOWED }]);
  });

  test('refuses any other with 403 and no effect, whatever address its headers claim', async () => {
    const body = Buffer.from('{"comes":"from elsewhere"}');
    const claims = { 'x-forwarded-for': ALLOWED, 'x-real-ip': ALLOWED, 'cf-connecting-ip': ALLOWED };
    const answer = await post(body, { headers: claims, from: '127.0.0.9' });
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'forbidden' });
    expect(await keptBodies()).not.toContain(body.toString());
    const refused = await server.db
      .selectFrom('inbox')
      .select(['address', 'body_sealed'])
      .where('reason', '=', 'address')
      .execute();
    expect(refused).toEqual([{ address: '127.0.0.9', body_sealed: null }]);
  });

  test('leaves the look in a browser to everybody', async () => {
    expect((await nginx.request(DEDICATED, { from: '127.0.0.9' })).status).toBe(200);
  });
});

test('configuration and documentation hold the addresses that Countersign calls published', () => {
  const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  const published = (name: string) => findProvider(name)?.addresses ?? [];
  const allowed = [...read('deploy/nginx/provider-webhooks.conf').matchAll(/#allow ([\d./]+);/g)];
  expect(allowed.map(([, address]) => address)).toEqual(published('veriff'));
  const [table = ''] = /## Published addresses\n[^#]+/.exec(read('docs/deploy/firewall.md')) ?? [];
  const documented = [...table.matchAll(/`([\d./]+)`/g)].map(([, address]) => address);
  expect(documented).toEqual([...published('veriff'), ...published('berbix')]);
});
