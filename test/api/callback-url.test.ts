import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectRefusal } from '../support/refusal.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';

const EMAIL = 'ada@example.com';
const NO_PROVIDER = 'no identity provider is set up for live mode, so nobody can pass this challenge';

let server: TestServer;
let liveKey: string;
beforeAll(async () => {
  server = await startServer({ role: 'api', env: { ...HTTPS, OUTBOUND_ALLOWED_CIDRS: '10.20.0.0/16' } });
  liveKey = (await server.integration({ mode: 'live' })).apiKey;
});
afterAll(() => server.close());

const post = (callback_url: unknown, key = server.apiKey) =>
  server.request
    .post('/api/v1/challenges')
    .set('X-API-Key', key)
    .send({ target_user_email: EMAIL, callback_url });
const stored = async ({ challenge_id }: Created) =>
  (
    await server.db
      .selectFrom('challenges')
      .select('callback_url')
      .where('id', '=', challenge_id)
      .executeTakeFirstOrThrow()
  ).callback_url;

test.each(['https://hooks.example.com/in?a=1', 'http://hooks.example.com/', 'http://10.20.0.7:9000/in'])(
  '%s may be called in test mode',
  async (callback_url) => {
    expect(await stored(await server.create({ callback_url }))).toBe(callback_url);
  },
);

const LONG = `https://hooks.example.com/${'a'.repeat(2_048)}`;
test.each<[unknown, RegExp]>([
  ['http://10.0.0.1/in', /private/],
  ['https://192.168.1.1/', /private/],
  ['http://127.0.0.1:8080/', /loopback/],
  ['http://localhost/', /localhost/],
  ['http://169.254.169.254/latest/meta-data', /metadata/],
  ['http://2130706433/', /loopback/],
  ['https://[::1]/', /loopback/],
  ['https://user:secret@hooks.example.com/', /user name and password/],
  ['ftp://hooks.example.com/', /https:\/\//],
  ['javascript:alert(1)', /https:\/\//],
  ['hooks.example.com/in', /complete URL/],
  ['https://hooks.example.com/#in', /#/],
  ['https://hooks.example.com/\u202e', /writing direction/],
  ['https://hooks.example.com/\n', /control characters/],
  [LONG, /2048/],
  [7, /must be a string/],
  [['https://hooks.example.com/'], /must be a string/],
])('%j is refused with its reason', async (url, reason) => {
  const answer = await post(url);
  expectRefusal(answer, 400, { code: 'invalid', field: 'callback_url' });
  expect((answer.body as { error: string }).error).toMatch(reason);
  // The reason may name a host, but never repeats a password.
  expect(answer.text).not.toContain('secret');
});

describe('in live mode', () => {
  test('plain http is refused, and so is what only test mode may reach', async () => {
    const answer = await post('http://hooks.example.com/in', liveKey);
    const error = 'callback_url cannot be called: Use https:// instead of http://.';
    expectRefusal(answer, 400, { code: 'invalid', field: 'callback_url', error });
    expectRefusal(await post('https://127.0.0.1/', liveKey), 400, { code: 'invalid', field: 'callback_url' });
  });

  test('without a provider the create is answered with a warning, until there is one', async () => {
    const { tenant_id, apiKey } = await server.integration({ mode: 'live', newTenant: true });
    const { warnings } = await server.create({ nickname: 'Ada' }, apiKey);
    expect(warnings).toEqual(['unknown field "nickname" was ignored', NO_PROVIDER]);
    const other = await server.integration({ mode: 'live', newTenant: true });
    await server.provider('veriff', { api_key: 'k' }, { mode: 'live', tenant_id: other.tenant_id });
    expect((await server.create({}, other.apiKey)).warnings).toBeUndefined();
    // Neither another tenant's provider counts, nor this tenant's for test mode.
    await server.provider('veriff', { api_key: 'k' }, { mode: 'test', tenant_id });
    expect((await server.create({}, apiKey)).warnings).toEqual([NO_PROVIDER]);
  });
});

test("the request's URL wins over the integration's, which is frozen at create", async () => {
  const { integrationId, apiKey } = await server.integration({
    callback_url: 'https://default.example.com/',
  });
  const own = await server.create({ callback_url: 'https://own.example.com/' }, apiKey);
  const fallback = await server.create({ callback_url: null }, apiKey);
  await server.db
    .updateTable('integrations')
    .set({ callback_url: 'https://later.example.com/' })
    .where('id', '=', integrationId)
    .execute();
  expect(await stored(own)).toBe('https://own.example.com/');
  expect(await stored(fallback)).toBe('https://default.example.com/');
  expect(await stored(await server.create())).toBeNull();
});
