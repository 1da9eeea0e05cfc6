import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { hmacHex } from '../../src/kernel/crypto.ts';
import { openSinks } from '../support/deliveries.ts';
import { auditOf, createDesk } from '../support/desk.ts';
import type { Delivery } from '../support/desk.ts';
import { expectRefusal } from '../support/refusal.ts';
import { countRows } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const sinks = openSinks();
let server: TestServer;
let desk: ReturnType<typeof createDesk>;
beforeAll(async () => {
  server = await startServer();
  desk = createDesk(server);
});
afterAll(async () => {
  await server.close();
  await sinks.close();
});

async function ended(id: string, key?: string): Promise<Delivery> {
  const one = async () => {
    const found = await desk.read(id, key);
    return found.attempts.length > 0 && found;
  };
  return until(one, 'the first attempt of a test');
}

test('a test goes to the URL of the integration, signed as every callback, and its result can be read', async () => {
  const sink = await sinks.open((response) => response.writeHead(200).end('welcome'));
  const { apiKey, secret, integrationId } = await server.integration({ callback_url: sink.url });
  const answer = await desk.post('/test', undefined, apiKey).expect(202);
  const sent = answer.body as Delivery;
  expect(sent).toEqual({ delivery_id: expect.any(String), endpoint_id: expect.any(String) });
  expect(answer.headers.location).toBe(`/api/v1/deliveries/${sent.delivery_id}`);
  expect(await ended(sent.delivery_id, apiKey)).toMatchObject({
    ...{
      status: 'delivered',
      trigger: 'test',
      event_type: 'endpoint.test',
      challenge_id: null,
      url: sink.url,
    },
    attempts: [{ attempt: 1, status_code: 200, response_excerpt: 'welcome' }],
  });
  const [received] = sink.received;
  expect(received?.json).toEqual({
    event_type: 'endpoint.test',
    event_id: received?.headers['webhook-id'],
    occurred_at: expect.stringMatching(/^\d{4}-.*Z$/),
    mode: 'test',
    integration_id: integrationId,
    message: expect.any(String),
  });
  expect(received?.headers['x-webhook-signature']).toBe(
    `sha256=${hmacHex(secret, received?.body ?? Buffer.alloc(0))}`,
  );
  const [entry] = await auditOf(server.db, 'endpoint_tested');
  expect(entry).toMatchObject({ challenge_id: null, detail: sent });
});

test('a test may go elsewhere, and tells what went wrong there', async () => {
  const sink = await sinks.open((response) => response.writeHead(404).end('no such hook'));
  for (const [callback_url, attempt] of [
    [sink.url, { status_code: 404, error_class: 'http_4xx', response_excerpt: 'no such hook' }],
    ['http://127.0.0.1:9/', { status_code: null, error_class: 'connect_refused' }],
  ] as const) {
    const { delivery_id } = (await desk.post('/test', { callback_url }).expect(202)).body as Delivery;
    expect(await ended(delivery_id)).toMatchObject({ status: 'dead', attempts: [attempt] });
  }
});

test.each([
  ['an address in a private network', 'http://10.1.2.3/hook', /private/],
  ['the metadata service', 'http://169.254.169.254/latest', /metadata|169\.254/],
  ['a disguised loopback of IPv6', 'http://[::ffff:127.0.0.1]/', /cannot be called/],
  ['another scheme', 'ftp://example.com/', /cannot be called/],
  ['no URL', 'nonsense', /cannot be called/],
  ['credentials', 'https://user:pass@example.com/', /cannot be called/],
  ['control characters', 'https://example.com/\u0000', /must be a URL/],
  ['line breaks', 'https://example.com/\r\nX-Evil: 1', /must be a URL/],
  ['10 kB', `https://example.com/${'a'.repeat(10_240)}`, /at most 2048/],
  ['a number', 5, /must be a URL/],
  ['an empty text', '', /cannot be called/],
])(
  '%s is refused by the rule that every callback is held to, and nothing is stored',
  async (_name, url, rule) => {
    const before = await countRows(server.db, 'events');
    const answer = await desk.post('/test', { callback_url: url });
    expectRefusal(answer, 400, {
      ...{ code: 'invalid', field: 'callback_url' },
      error: expect.stringMatching(rule) as unknown as string,
    });
    expect(await countRows(server.db, 'events')).toBe(before);
  },
);

test('live keys may test only what live callbacks may reach', async () => {
  const { apiKey } = await server.integration({ mode: 'live' });
  const answer = await desk.post('/test', { callback_url: 'http://example.com/' }, apiKey);
  expectRefusal(answer, 400, { code: 'invalid', field: 'callback_url' });
});

test('without any URL the sentence says what to pass', async () => {
  for (const body of [undefined, {}, { callback_url: null }])
    expectRefusal(await desk.post('/test', body), 400, { code: 'invalid', field: 'callback_url' });
});

test('a disabled endpoint is not tested, and the sentence says how to enable it', async () => {
  const callback_url = 'http://127.0.0.1:15/';
  const { endpoint_id } = (await desk.post('/test', { callback_url }).expect(202)).body as Delivery;
  await server.db
    .updateTable('endpoints')
    .set({ disabled_at: new Date(), disabled_reason: 'operator' })
    .where('id', '=', endpoint_id)
    .execute();
  const answer = await desk.post('/test', { callback_url });
  expectRefusal(answer, 409, { code: 'conflict' });
  expect(answer.text).toContain(`/api/v1/endpoints/${endpoint_id}/enable`);
});

test.each(['{', '[]', '{"url":"http://127.0.0.1/"}'])('the body %s is refused', async (body) => {
  expectRefusal(await desk.post('/test', body), 400, {
    code: 'invalid',
    ...(body.includes('url') ? { field: 'url' } : {}),
  });
});
