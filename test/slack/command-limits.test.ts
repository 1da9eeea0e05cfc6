import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { MAX_ABOUT_TARGET, MAX_BY_USER } from '../../src/slack/command-limits.ts';
import { connectSlack } from '../support/slack.ts';
import { sendCommand } from '../support/slack-requests.ts';
import { startStage } from '../support/slack-stage.ts';
import type { Stage } from '../support/slack-stage.ts';

const TAKEN = /will be asked to confirm/;
const HASTY = /^Nothing was created: you have asked 10 times within a minute\. Try again in \d\d seconds\.$/;
const ENOUGH =
  /^Nothing was created: this person has been asked for 5 times within ten minutes\. Try again in (9|10) minutes\.$/;

let stage: Stage;
/** Each test meets people whom nobody has asked yet, and who have not. */
let turn = 0;
beforeAll(async () => {
  stage = await startStage();
});
beforeEach(() => void (turn += 1));
afterAll(() => stage.close());

const user = (number: number) => `U0USER${turn}N${number}`;
const person = (number: number) => `<@U0PERSON${turn}N${number}|somebody>`;
const times = (count: number) => Array.from({ length: count }, (_, index) => index);

async function keptCommands(): Promise<number> {
  const rows = stage.server.db.selectFrom('events').select('id').where('type', '=', 'slack.command');
  return (await rows.execute()).length;
}

async function refusals(): Promise<number> {
  const { text } = await stage.server.request.get('/metrics');
  const line = /^countersign_slack_requests_total\{kind="commands",outcome="too_many"\} (\d+)$/m;
  return Number(line.exec(text)?.[1] ?? 0);
}

test('whoever asks more than ten times in a minute is told how long to wait; others are not', async () => {
  const [kept, counted] = [await keptCommands(), await refusals()];
  for (const number of times(MAX_BY_USER))
    expect(await stage.type(person(number), { user_id: user(1) })).toMatch(TAKEN);
  for (const text of [person(98), person(99)])
    expect(await stage.type(text, { user_id: user(1) })).toMatch(HASTY);
  expect(await stage.type(person(98), { user_id: user(2) })).toMatch(TAKEN);
  expect(await keptCommands()).toBe(kept + MAX_BY_USER + 1);
  expect(await refusals()).toBe(counted + 2);
});

test.each([
  ['id', (number: number) => `<@U0SAME|spelling${number}>`],
  ['address', (number: number) => (number % 2 ? 'Same@example.com' : '<mailto:same@example.com|same>')],
])('nobody is asked for by %s more than five times in ten minutes, whoever asks', async (_, written) => {
  const [kept, counted] = [await keptCommands(), await refusals()];
  for (const number of times(MAX_ABOUT_TARGET))
    expect(await stage.type(written(number), { user_id: user(number) })).toMatch(TAKEN);
  for (const number of [5, 6])
    expect(await stage.type(written(number), { user_id: user(number) })).toMatch(ENOUGH);
  expect(await stage.type(person(1), { user_id: user(5) })).toMatch(TAKEN);
  expect(await keptCommands()).toBe(kept + MAX_ABOUT_TARGET + 1);
  expect(await refusals()).toBe(counted + 2);
});

test('what Slack sends again is not counted again, and what was too much is so when it comes again', async () => {
  const again = (trigger_id: string) => stage.type(person(1), { trigger_id, user_id: user(1) });
  await Promise.all(times(MAX_ABOUT_TARGET).map(() => again('first')));
  for (const number of times(MAX_ABOUT_TARGET - 1)) expect(await again(`more ${number}`)).toMatch(TAKEN);
  for (const trigger of ['last', 'last']) expect(await again(trigger)).toMatch(ENOUGH);
  expect(await again('first')).toMatch(TAKEN);
});

test('how to ask is told as often as anybody wants to know it', async () => {
  for (const _ of times(MAX_BY_USER + 1))
    expect(await stage.type('', { user_id: user(1) })).toMatch(/^Write `\/challenge/);
});

test('each workspace counts by itself', async () => {
  const { server, slack, at } = stage;
  const instance = await connectSlack(server, slack, { name: 'Second' });
  for (const number of times(MAX_ABOUT_TARGET)) await stage.type(person(1), { user_id: user(number) });
  expect(await stage.type(person(1), { user_id: user(9) })).toMatch(ENOUGH);
  const { text } = await sendCommand(slack, at({ instance }), person(1), { user_id: user(9) }).expect(200);
  expect(text).toMatch(TAKEN);
});
