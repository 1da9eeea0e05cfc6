import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import supertest from 'supertest';
import { createSealer } from '../../src/kernel/crypto.ts';
import { startChild } from '../support/child.ts';
import type { Child } from '../support/child.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { readAllRows } from '../support/rows.ts';
import { testEnv } from '../support/server.ts';
import type { Created } from '../support/server.ts';
import { connectSlack, startSlack } from '../support/slack.ts';
import type { Intervention, Slack } from '../support/slack.ts';
import { sendCommand } from '../support/slack-requests.ts';
import { messagesOf } from '../support/slack-story.ts';
import { until } from '../support/until.ts';

const key = randomBytes(32);

let database: TestDatabase;
let child: Child;
let slack: Slack;
beforeAll(async () => {
  database = await createDatabase();
  const settings = testEnv(database.url, undefined, key, { LOG_LEVEL: 'trace' });
  [child, slack] = await Promise.all([startChild(settings), startSlack()]);
});
afterAll(async () => {
  await child.stop();
  await slack.close();
  await database.close();
});

/** The API key of the first start, as it was shown. */
const firstKey = () => until(() => /API key +(\S+)/.exec(child.output())?.[1], 'the first key');

async function ask(path: string, body?: object): Promise<{ text: string; status: number }> {
  const headers = { 'X-API-Key': await firstKey(), 'Content-Type': 'application/json' };
  const sent = body ? { method: 'POST', body: JSON.stringify(body) } : {};
  const answer = await fetch(`${child.url}/api/v1/${path}`, { headers, ...sent });
  return { text: await answer.text(), status: answer.status };
}

test('no secret of a workspace and no link shows in logs, tables or answers, whatever goes wrong', async () => {
  const { db } = database;
  await firstKey();
  const instance = await connectSlack({ db, sealer: createSealer([key]) }, slack);
  const body = { integration_type: 'slack', target_user_email: 'ada@example.com' };
  const answers: string[] = [];
  const wrong: ReturnType<Intervention>[] = [
    ...[{ status: 500 }, { status: 429 }, { body: { ok: false, error: 'invalid_auth' } }],
    // Says again what it was told, as a careless proxy may.
    { body: { ok: false, error: slack.botToken, needed: slack.botToken } },
    { status: 400, body: { authorization: `Bearer ${slack.botToken}` } },
  ];
  for (const one of wrong) {
    slack.intervene(() => one);
    const { status, text } = await ask('challenges', body);
    expect(status).toBe(503);
    answers.push(text);
  }

  slack.intervene((method, count) => (method === 'chat.postMessage' && count === 1 ? wrong[3] : undefined));
  const posted = await ask('challenges', { ...body, context: 'Password reset' });
  const created = JSON.parse(posted.text) as Created;
  await until(async () => {
    const [card] = await messagesOf(db, created.challenge_id);
    return card?.ts !== null;
  }, 'the card');

  slack.intervene((method) => (method === 'chat.postMessage' ? wrong[2] : undefined));
  const given = JSON.parse((await ask('challenges', body)).text) as Created;
  const read = () => ask(`challenges/${given.challenge_id}`);
  await until(async () => (await read()).text.includes('undeliverable'), 'the challenge to be given up');
  answers.push((await read()).text, (await ask('deliveries')).text);

  const at = { server: { request: supertest(child.url) }, instance, secret: slack.signingSecret };
  const response_url = `${slack.url}/response/of-one-command`;
  slack.intervene((method) => (method === 'chat.postMessage' ? wrong[0] : wrong[2]));
  slack.respondWith(500);
  const commands = [
    await sendCommand(slack, at, `<@${slack.users.ada}> once more`, { response_url }),
    await sendCommand(slack, at, 'nonsense', { response_url }),
    await sendCommand(slack, { ...at, secret: 'another' }, 'nonsense', { response_url }),
    await sendCommand(slack, at, `<@${slack.users.ada}>`, { response_url, team_id: 'T0OTHER' }),
  ];
  expect(commands.map(({ status }) => status)).toEqual([200, 200, 401, 403]);
  answers.push(...commands.map(({ text }) => text));
  const isFailed = async () => (await readAllRows(db)).delivery_attempts?.some((row) => /: 500\b/.test(row));
  await until(isFailed, 'an answer that Slack did not take');
  slack.respondWith(200);
  await until(() => slack.ephemerals.length > 0, 'the answer to the command');

  const [tables, log] = [JSON.stringify(await readAllRows(db)), child.output()];
  const tokens = [created, given].map(({ verification_url }) => verification_url.split('token=')[1] ?? '');
  for (const secret of [slack.botToken, slack.signingSecret, response_url, ...tokens])
    for (const place of [tables, log, ...answers]) expect(place).not.toContain(secret);
  // The search above would have found something, had it been there.
  expect(tables).toContain(slack.users.ada);
  expect(log).toContain('/api/v1/challenges');
  expect(answers.join()).toContain('slack.card');
}, 60_000);
