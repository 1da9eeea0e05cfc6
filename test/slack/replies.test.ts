import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { SlackDeps } from '../../src/slack/deps.ts';
import { keepReply } from '../../src/slack/reply.ts';
import { openWorkspace } from '../../src/slack/workspace.ts';
import { findWorkspace } from '../../src/slack/workspaces-store.ts';
import { startSink } from '../support/sink.ts';
import type { Slack } from '../support/slack.ts';
import { startStage } from '../support/slack-stage.ts';
import type { Stage } from '../support/slack-stage.ts';

/** What one person alone is told, and when it cannot be said in that way. */
let stage: Stage;
let slack: Slack;
beforeAll(async () => {
  stage = await startStage();
  ({ slack } = stage);
});
beforeEach(() => {
  slack.ephemerals.length = 0;
  slack.respondWith(200);
});
afterAll(() => stage.close());

test('when Slack takes no more answers to a command, the person is told in a message', async () => {
  slack.respondWith(404);
  await stage.type('<@U0NOBODY00> expired');
  await slack.waitFor('grace', (words) => words.startsWith('Nothing was created'), 'the answer');
  await stage.settled();
  expect(await stage.count('grace', 'Nothing was created')).toBe(1);
});

test('an answer goes to Slack’s own host, whatever the request says; otherwise it is a message', async () => {
  const sink = await startSink();
  const { port } = new URL(sink.url);
  const [sinks, nobodys] = [`http://localhost:${port}/response/1`, `http://127.0.0.1:${port}/response/1`];
  for (const [person, response_url] of [
    ['<@U0FOREIGN0>', sinks],
    ['<@U0FOREIGN1>', nobodys],
  ] as const)
    await stage.type(person, { response_url, user_id: slack.users.linus });
  await stage.settled();
  expect(await stage.count('linus', 'Nothing was created')).toBe(2);
  expect(sink.received).toEqual([]);
  await sink.close();
});

test('where answers cannot be given is no trouble of Slack’s: messages go on', async () => {
  const { db } = stage.server;
  const user_id = slack.users.ada;
  const health = () =>
    db
      .selectFrom('endpoints')
      .select(['consecutive_unreachable', 'failing_since', 'open_until', 'paused_until'])
      .where('integration_id', '=', stage.instance)
      .executeTakeFirstOrThrow();
  for (const status of [429, 500, 503, 0]) {
    slack.respondWith(status);
    await stage.type('<@U0TROUBLE0> trouble', { user_id });
    await stage.settled();
  }
  expect(await stage.count('ada', 'Nothing was created')).toBe(4);
  const calm = { consecutive_unreachable: 0, failing_since: null, open_until: null, paused_until: null };
  expect(await health()).toEqual(calm);
  const attempts = await db
    .selectFrom('delivery_attempts')
    .innerJoin('deliveries', 'deliveries.id', 'delivery_attempts.delivery_id')
    .innerJoin('events', 'events.id', 'deliveries.event_id')
    .select('response_excerpt')
    .where('events.type', '=', 'slack.reply')
    .orderBy('delivery_attempts.started_at')
    .execute();
  expect(attempts.slice(-4).map(({ response_excerpt }) => response_excerpt)).toEqual([
    'told in a message: Slack asks to wait 30 s',
    'told in a message: Slack answers 500',
    'told in a message: Slack answers 503',
    expect.stringMatching(/^told in a message: Slack cannot be reached: /),
  ]);
});

test('an answer to what was typed more than half an hour ago is not given any more', async () => {
  const { db, sealer } = stage.server;
  const at = Date.now() - 30 * 60_000 - 1_000;
  const workspace = openWorkspace(sealer, (await findWorkspace(db, stage.instance))!)!;
  const deps = { db, sealer, now: () => new Date(), wake: () => undefined } as unknown as SlackDeps;
  const to = { user: slack.users.ada, response_url: `${slack.url}/response/old`, challenge_id: null };
  await keepReply(deps, workspace, { ...to, trigger: 'too old', at }, 'Too old');
  await keepReply(deps, workspace, { ...to, trigger: 'old', at: at + 60_000 }, 'Old');
  await stage.told((text) => text === 'Old', 'what is not too old');
  await stage.settled();
  expect(slack.ephemerals.map(({ text }) => text)).toEqual(['Old']);
  expect(await stage.count('ada', 'Too old')).toBe(0);
});
