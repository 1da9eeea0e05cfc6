import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { providers } from '../../src/providers/index.ts';
import { sealContext } from '../../src/providers/store.ts';
import { authHeaders } from '../../src/simulators/veriff-auth.ts';
import { API_KEY, approved, reprinted, SECRET, submitted, vendorSample } from '../fixtures/veriff/vectors.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const KB = 1_024;
const credentials = { apiKey: API_KEY, secret: SECRET };

let server: TestServer;
let path: string;
beforeAll(async () => {
  server = await startServer();
  const settings = { api_key: API_KEY, shared_secret: SECRET, base_url: 'https://veriff.example' };
  path = `/webhooks/veriff/${await server.provider('veriff', settings)}`;
});
afterAll(() => server.close());

type Headers = Record<string, string>;

/** Posts exactly these bytes; a test client that knows JSON would write them anew. */
async function post(body: Buffer, headers: Headers = authHeaders(credentials, body, 'x'), to = path) {
  const answer = await fetch(server.url + to, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: new Uint8Array(body),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    text,
    json: JSON.parse(text) as Record<string, unknown>,
    headers: answer.headers,
  };
}

const kept = () =>
  server.db.selectFrom('inbox').selectAll().where('reason', 'is', null).orderBy('id').execute();

describe('an authentic webhook', () => {
  test('is kept, sealed, and then acknowledged with exactly 200', async () => {
    const answer = await post(vendorSample.body, {
      'x-auth-client': API_KEY,
      'x-hmac-signature': vendorSample.signature,
    });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ status: 'ok' });
    const [row] = await kept();
    expect(row).toMatchObject({
      kind: 'decision',
      provider_session_id: '12df6045-3846-3e45-946a-14fa6136d78b',
    });
    expect(row?.body_sealed).not.toContain('MORGAN');
    const text = server.sealer.unseal(row?.body_sealed ?? '', sealContext.body(row?.id ?? ''));
    expect(text).toBe(vendorSample.body.toString());
  });

  test('that comes again is acknowledged again and kept once', async () => {
    for (const _ of [1, 2, 3]) expect((await post(submitted.body)).status).toBe(200);
    const events = (await kept()).filter(({ kind }) => kind === 'event');
    expect(events).toHaveLength(1);
  });

  test('of a type we do not know, or that is no JSON, is kept as well', async () => {
    const bodies = ['{"eventType":"something_new","data":{}}', 'not JSON', '[]', ''];
    for (const body of bodies) expect((await post(Buffer.from(body))).status).toBe(200);
    const unknown = (await kept()).filter(({ kind }) => kind === 'unknown');
    expect(unknown).toHaveLength(bodies.length);
  });

  test.each([['text/plain'], ['application/xml; charset=latin1'], ['application/x-www-form-urlencoded']])(
    'counts by its bytes, whatever it says it is: %s',
    async (type) => {
      const body = Buffer.from(JSON.stringify({ type, text: 'Añadir/é – ✓' }));
      expect(
        (await post(body, { ...authHeaders(credentials, body, 'vrf'), 'content-type': type })).status,
      ).toBe(200);
    },
  );

  test('is not acknowledged before it is kept', async () => {
    const body = Buffer.from('{"waits":"for the lock"}');
    let status = 0;
    let answer: Promise<void> = Promise.resolve();
    await server.db.transaction().execute(async (tx) => {
      await sql`lock table inbox in exclusive mode`.execute(tx);
      answer = post(body).then((done) => void (status = done.status));
      await sleep(400);
      expect(status).toBe(0);
    });
    await answer;
    expect(status).toBe(200);
  });

  test('is not acknowledged while the database cannot keep it, and is kept when it comes again', async () => {
    const body = Buffer.from('{"comes":"twice"}');
    const before = (await kept()).length;
    await sql`alter table inbox rename to inbox_away`.execute(server.db);
    try {
      const answer = await post(body);
      expect(answer.status).toBeGreaterThanOrEqual(500);
      expect(answer.text).not.toMatch(/relation|inbox|select|insert/i);
    } finally {
      await sql`alter table inbox_away rename to inbox`.execute(server.db);
    }
    expect((await post(body)).status).toBe(200);
    expect(await kept()).toHaveLength(before + 1);
  });
});

describe('a webhook is refused', () => {
  const other = { apiKey: 'c0ffee00-0000-4000-8000-000000000000', secret: 'another-secret' };
  const { body, signature } = approved;
  const right = { 'x-auth-client': API_KEY, 'x-hmac-signature': signature };
  const flipped = Buffer.from(body);
  flipped[40] = (flipped[40] ?? 0) ^ 32;

  test('with the same 401 whatever is wrong, and nothing is kept', async () => {
    const { tenant_id } = await server.integration({ newTenant: true });
    const settings = {
      api_key: other.apiKey,
      shared_secret: other.secret,
      base_url: 'https://veriff.example',
    };
    const others = `/webhooks/veriff/${await server.provider('veriff', settings, { tenant_id })}`;
    const before = (await kept()).length;
    const answers = [
      await post(body, { ...right, 'x-hmac-signature': '0'.repeat(64) }),
      await post(body, { ...right, 'x-auth-client': other.apiKey }),
      await post(body, {}),
      await post(body, authHeaders(other, body, 'x')),
      await post(body, right, others),
      await post(flipped, right),
      await post(body.subarray(0, -1), right),
      await post(reprinted.body, right),
      await post(Buffer.alloc(0), right),
    ];
    for (const answer of answers) {
      const { request_id, ...said } = answer.json;
      expect(answer.status).toBe(401);
      expect(said).toEqual({ error: 'Invalid signature', code: 'unauthorized' });
      expect(request_id).toBe(answer.headers.get('x-request-id'));
    }
    expect(await kept()).toHaveLength(before);
    expect((await post(body, authHeaders(other, body, 'x'), others)).status).toBe(200);
  });

  test('with 404 where there is no such account', async () => {
    const account = path.split('/').at(-1);
    const places = [
      'veriff/0f2b8c1e-5d34-4a77-9b1a-3c6e8d9f1a20',
      'veriff/x',
      `nobody/${account}`,
      `toString/${account}`,
    ];
    for (const place of places) {
      const answer = await post(body, right, `/webhooks/${place}`);
      expect(answer.status).toBe(404);
      expect(answer.json).toMatchObject({ error: 'No such webhook address', code: 'not_found' });
      await server.request.get(`/webhooks/${place}`).expect(404);
    }
  });

  test('with 413 beyond 256 KB, authentic or not; up to there it counts', async () => {
    const full = Buffer.from(JSON.stringify({ fills: '' }).padEnd(256 * KB, ' '));
    expect((await post(full)).status).toBe(200);
    expect((await post(Buffer.concat([full, Buffer.from(' ')]))).status).toBe(413);
    const megabyte = Buffer.alloc(KB * KB, 'x');
    const answer = await post(megabyte);
    expect(answer.status).toBe(413);
    expect(answer.json).toMatchObject({ code: 'too_large' });
    expect((await post(megabyte, {})).status).toBe(413);
  });

  test('with 415 when it is compressed, though the signature is right', async () => {
    const zipped = gzipSync(body);
    const headers = { ...authHeaders(credentials, zipped, 'x'), 'content-encoding': 'gzip' };
    const answer = await post(zipped, headers);
    expect(answer.status).toBe(415);
    expect(answer.json).toMatchObject({ code: 'unsupported_media_type' });
  });

  test.each(['put', 'patch', 'delete'] as const)('with 405 by %s', async (method) => {
    await server.request[method](path).set(right).send(body).expect(405).expect('Allow', 'GET, HEAD, POST');
  });
});

test.each(Object.entries(providers))(
  'a look at the address in a browser says that it leads here: %s',
  async (name, { label }) => {
    const { tenant_id } = await server.integration({ newTenant: true });
    const answer = await server.request
      .get(`/webhooks/${name}/${await server.provider(name, {}, { tenant_id })}`)
      .expect(200)
      .expect('Content-Type', /^text\/plain/);
    expect(answer.text).toBe(`Countersign endpoint for ${label} webhooks\n`);
  },
);
