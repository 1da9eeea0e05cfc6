import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { expectRefusal } from '../support/refusal.ts';
import { readAllRows } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { connectSlack, startSlack } from '../support/slack.ts';
import type { Intervention, Slack } from '../support/slack.ts';
import { startSink } from '../support/sink.ts';

const IN_SLACK = { integration_type: 'slack', target_user_email: 'ada@example.com' };
const PASSES = 'try again';
const NOT_SLACK = `Slack cannot be reached: the answer is none of its API; ${PASSES}`;
const LASTS = 'see `countersign slack test`';

let server: TestServer;
let slack: Slack;
/** Stands where Slack should, and answers anything. */
let other: Awaited<ReturnType<typeof startSink>>;
let keyOfOther: string;
beforeAll(async () => {
  [server, slack, other] = await Promise.all([startServer({ role: 'api' }), startSlack(), startSink()]);
  await connectSlack(server, slack);
  const { apiKey, tenant_id } = await server.integration({ newTenant: true });
  keyOfOther = apiKey;
  await connectSlack(server, { ...slack, url: new URL(other.url).origin }, { tenant_id });
});
afterEach(() => slack.intervene(() => undefined));
afterAll(async () => {
  await server.close();
  await slack.close();
  await other.close();
});

const post = (body: object = {}, key = server.apiKey) =>
  server.request
    .post('/api/v1/challenges')
    .set('X-API-Key', key)
    .send({ ...IN_SLACK, ...body });

/** Expects a 503 with this sentence, and that nothing is stored. */
async function unavailable(error: string, body?: object, key?: string): Promise<void> {
  const before = await readAllRows(server.db);
  const answer = await post(body, key);
  expectRefusal(answer, 503, { code: 'unavailable', error });
  expect(answer.headers['retry-after']).toBe(/wait (\d+) s/.exec(error)?.[1]);
  expect(await readAllRows(server.db)).toEqual(before);
  expect(answer.text).not.toContain(slack.botToken);
}

const says = (error: string, more: object = {}) => ({ body: { ok: false, error, ...more } });
const TROUBLE: [string, NonNullable<ReturnType<Intervention>>, string][] = [
  ['a limit', { status: 429, headers: { 'retry-after': '7' } }, `Slack asks to wait 7 s; ${PASSES}`],
  [
    'a limit for who knows how long',
    { status: 429, headers: { 'retry-after': 'soon' } },
    `Slack asks to wait 30 s; ${PASSES}`,
  ],
  ['a limit without a time', { status: 429 }, `Slack asks to wait 30 s; ${PASSES}`],
  ['a limit in words', says('ratelimited'), `Slack asks to wait 30 s; ${PASSES}`],
  ['500', { status: 500 }, `Slack answers 500; ${PASSES}`],
  ['503', { status: 503 }, `Slack answers 503; ${PASSES}`],
  ['404', { status: 404 }, `Slack answers 404; ${PASSES}`],
  ['trouble of its own', says('internal_error'), `Slack has trouble: internal_error; ${PASSES}`],
  ['a token that is none', says('invalid_auth'), `Slack refuses: invalid_auth; ${LASTS}`],
  ['a token that was taken back', says('token_revoked'), `Slack refuses: token_revoked; ${LASTS}`],
  [
    'a scope that is missing',
    says('missing_scope', { needed: 'users:read', provided: 'chat:write' }),
    `Slack refuses: missing_scope (the app needs users:read); ${LASTS}`,
  ],
  [
    'a scope that is none',
    says('missing_scope', { needed: '<b>' }),
    `Slack refuses: missing_scope; ${LASTS}`,
  ],
  ['words that are none', says('Go away!'), NOT_SLACK],
  ['a refusal without a word', { body: { ok: false } }, NOT_SLACK],
  ['nothing', { body: {} }, NOT_SLACK],
  ['nobody', { body: { ok: true } }, NOT_SLACK],
];

describe('a create is answered 503, and stores nothing, when Slack answers', () => {
  test.each(TROUBLE)('%s', async (_, answer, error) => {
    for (const method of ['auth.test', 'users.info', 'users.lookupByEmail']) {
      slack.intervene((asked) => (asked === method ? answer : undefined));
      await unavailable(error);
    }
    slack.intervene(() => answer);
    await unavailable(error, { slack_user_id: slack.users.grace });
  });

  test.each<[string, (response: ServerResponse) => unknown, string]>([
    ['a page', (response) => response.end('<html>Log in</html>'), NOT_SLACK],
    ['null', (response) => response.end('null'), NOT_SLACK],
    ['a list', (response) => response.end('[1]'), NOT_SLACK],
    ['not a word', (response) => response.end(), NOT_SLACK],
    [
      'more than anybody would read',
      (response) => response.end(`{"ok":true,"x":"${'x'.repeat(300_000)}"}`),
      `Slack cannot be reached: The answer has more than 262144 bytes; ${PASSES}`,
    ],
    [
      'half an answer',
      (response) => {
        response.writeHead(200, { 'content-length': '100' }).write('{"ok":');
        response.destroy();
      },
      'Slack cannot be reached: The connection broke off, or the answer was not complete HTTP. (UND_ERR_SOCKET); try again',
    ],
    [
      'from elsewhere',
      (response) => response.writeHead(302, { location: `${slack.url}/api/auth.test` }).end(),
      `Slack answers 302; ${PASSES}`,
    ],
  ])('%s', async (_, answer, error) => {
    other.answerWith(answer);
    const before = slack.calls.length;
    await unavailable(error, {}, keyOfOther);
    expect(slack.calls).toHaveLength(before);
  });

  test('nothing, for seconds', async () => {
    slack.intervene((method) => (method === 'users.lookupByEmail' ? { hang: true } : undefined));
    await unavailable(`Slack does not answer within 8 s; ${PASSES}`);
  }, 15_000);

  test('nothing at all', async () => {
    const { apiKey, tenant_id } = await server.integration({ newTenant: true });
    await connectSlack(server, { ...slack, url: 'http://127.0.0.1:9' }, { tenant_id });
    const answer = await post({}, apiKey);
    expectRefusal(answer, 503, { code: 'unavailable' });
    expect((answer.body as { error: string }).error).toMatch(/^Slack cannot be reached: The connection was/);
  });
});

test('each is asked once, and told the token alone', async () => {
  other.answerWith((response) => response.writeHead(500).end());
  const before = other.received.length;
  await post({ slack_user_id: 'U0GRACE' }, keyOfOther).expect(503);
  const asked = other.received.slice(before);
  expect(asked.map(({ path }) => path).sort()).toEqual(['/api/users.info', '/api/users.lookupByEmail']);
  for (const { headers, body } of asked) {
    expect(headers.authorization).toBe(`Bearer ${slack.botToken}`);
    expect(body.toString()).not.toContain(slack.botToken);
  }
});
