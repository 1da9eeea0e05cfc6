import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { CALLER_CACHE_MS } from '../../src/api/authenticate.ts';
import { newApiKey } from '../../src/tenants/keys.ts';
import { endKeys, insertKey } from '../../src/tenants/store.ts';
import { expectRefusal } from '../support/refusal.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const REFUSED = { code: 'unauthorized', error: 'Invalid or missing API key' };

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
});
afterAll(() => server.close());

const list = (headers: Record<string, string>) => server.request.get('/api/v1/challenges').set(headers);

test.each<[string, (key: string) => Record<string, string>]>([
  ['X-API-Key', (key) => ({ 'X-API-Key': key })],
  ['Authorization: Bearer', (key) => ({ Authorization: `Bearer ${key}` })],
  ['a bearer scheme in lower case', (key) => ({ authorization: `bearer ${key}` })],
  [
    'X-API-Key, whatever else is in Authorization',
    (key) => ({ 'X-API-Key': key, Authorization: 'Basic eDp5' }),
  ],
])('%s opens the door', async (_name, headers) => {
  await list(headers(server.apiKey)).expect(200);
});

test.each<[string, (key: string) => Record<string, string>]>([
  ['no key', () => ({})],
  ['an empty key', () => ({ 'X-API-Key': '' })],
  ['an unknown key', () => ({ 'X-API-Key': newApiKey('test').key })],
  ['a key of the other mode', (key) => ({ 'X-API-Key': key.replace('cs_test_', 'cs_live_') })],
  ['a key in other letter case', (key) => ({ 'X-API-Key': key.toUpperCase() })],
  ['half a key', (key) => ({ 'X-API-Key': key.slice(0, 20) })],
  ['a key with something behind it', (key) => ({ 'X-API-Key': `${key}x` })],
  ['a very long key', () => ({ 'X-API-Key': 'k'.repeat(8_000) })],
  ['a key that is code', () => ({ 'X-API-Key': "cs_test_' or 1=1 --" })],
  [
    'Basic authentication',
    (key) => ({ Authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` }),
  ],
  ['a bearer scheme without a key', () => ({ Authorization: 'Bearer' })],
  ['the key alone in Authorization', (key) => ({ Authorization: key })],
  ['two keys in one header', (key) => ({ Authorization: `Bearer ${key} ${key}` })],
])('%s is answered 401 with one and the same sentence', async (_name, headers) => {
  const answer = await list(headers(server.apiKey));
  expectRefusal(answer, 401, REFUSED);
  expect(answer.headers['www-authenticate']).toMatch(/^Bearer\b/);
});

test('a key in the query or in the body is not looked at', async () => {
  const path = '/api/v1/challenges';
  expectRefusal(await server.request.get(path).query({ api_key: server.apiKey }), 401, REFUSED);
  expectRefusal(await server.request.post(path).send({ api_key: server.apiKey }), 401, REFUSED);
});

test('without a key nothing is said about the request itself', async () => {
  const id = (await server.create()).challenge_id;
  const { request } = server;
  for (const answer of [
    await request.post('/api/v1/challenges').type('json').send('{ broken'),
    await request.post('/api/v1/challenges').type('text').send('x'),
    await request.get('/api/v1/challenges').query({ limit: 'many' }),
    await request.get(`/api/v1/challenges/${id}`),
    await request.get('/api/v1/challenges/nonsense'),
    await request.post(`/api/v1/challenges/${id}/cancel`),
  ]) {
    expectRefusal(answer, 401, REFUSED);
  }
  expect(await server.read(id)).toMatchObject({ status: 'initiated' });
});

test('an expired key is refused, one that ends later is not', async () => {
  const { integrationId } = await server.integration();
  const keyEndingIn = async (ms: number) => {
    const { key, ...stored } = newApiKey('test');
    await insertKey(server.db, { integration_id: integrationId, ...stored });
    await endKeys(server.db, integrationId, new Date(Date.now() + ms), stored.key_prefix);
    return key;
  };
  expectRefusal(await list({ 'X-API-Key': await keyEndingIn(-1) }), 401, REFUSED);
  await list({ 'X-API-Key': await keyEndingIn(60_000) }).expect(200);
});

test('a key that ends while it is cached ends on time', async () => {
  const { integrationId, apiKey } = await server.integration();
  const end = new Date(Date.now() + CALLER_CACHE_MS / 2);
  await endKeys(server.db, integrationId, end);
  await list({ 'X-API-Key': apiKey }).expect(200);
  await sleep(end.getTime() - Date.now() + 1);
  expectRefusal(await list({ 'X-API-Key': apiKey }), 401, REFUSED);
});

test('a revoked key stops within CALLER_CACHE_MS, even when it is in constant use', async () => {
  const { integrationId, apiKey } = await server.integration();
  await list({ 'X-API-Key': apiKey }).expect(200);
  await endKeys(server.db, integrationId, new Date());
  const revoked = Date.now();
  await until(async () => (await list({ 'X-API-Key': apiKey })).status === 401, 'the revoked key to stop');
  expect(Date.now() - revoked).toBeLessThan(CALLER_CACHE_MS + 500);
  await Promise.all(
    Array.from({ length: 10 }, async () => expectRefusal(await list({ 'X-API-Key': apiKey }), 401, REFUSED)),
  );
});

test('a key that was unknown works as soon as it exists', async () => {
  const { integrationId } = await server.integration();
  const { key, ...stored } = newApiKey('test');
  expectRefusal(await list({ 'X-API-Key': key }), 401, REFUSED);
  await insertKey(server.db, { integration_id: integrationId, ...stored });
  await list({ 'X-API-Key': key }).expect(200);
});
