import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { connectSlack, startSlack, wordsOf } from '../support/slack.ts';
import type { Slack } from '../support/slack.ts';
import { until } from '../support/until.ts';

let server: TestServer;
let slack: Slack;
beforeAll(async () => {
  [server, slack] = await Promise.all([startServer(), startSlack()]);
  await connectSlack(server, slack);
});
afterAll(async () => {
  await server.close();
  await slack.close();
});

const inSlack = {
  integration_type: 'slack',
  target_user_email: 'ada@example.com',
  context: 'Password reset',
};

test('a challenge created over REST reaches both people, and both hear of its end', async () => {
  const created = await server.create({ ...inSlack, requester_email: 'grace@example.com' });
  const card = await slack.waitFor('ada', () => true, 'the card');
  const notice = await slack.waitFor('grace', () => true, 'the notice');
  await server.request
    .post(`/api/v1/challenges/${created.challenge_id}/cancel`)
    .set('X-API-Key', server.apiKey);
  await slack.waitFor('ada', (_, { ts, edited }) => ts === card.ts && edited, 'the end');
  await slack.waitFor('grace', (_, { ts, edited }) => ts === notice.ts && edited, 'the end');
  expect(await slack.seenBy('ada')).toHaveLength(1);
  expect(wordsOf(card)).not.toBe('');
});

test('a card whose posting was cut off is found again, and stands there once', async () => {
  slack.intervene((method, count) =>
    method === 'chat.postMessage' && count === 1 ? { cut: true } : undefined,
  );
  await server.create({ ...inSlack });
  await slack.waitFor('ada', () => true, 'the card');
  await until(() => slack.calls.includes('conversations.history'), 'a look into the history');
  await until(
    async () =>
      (await server.db.selectFrom('slack_messages').select('ts').where('ts', 'is', null).execute()).length ===
      0,
    'it to be found',
  );
  expect(await slack.seenBy('ada')).toHaveLength(2);
});
