import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createSender } from '../../src/simulators/sender.ts';
import type { Sender } from '../../src/simulators/sender.ts';
import { startSink } from '../support/sink.ts';
import { until } from '../support/until.ts';

const MANNER = { accepts: (status: number) => status === 200, answerMs: 5_000, retryMs: [10, 20] };
/** The webhooks of one run. */
const RUN = ['started', 'submitted', 'approved'].map(messageOf);
const [started] = RUN as [(typeof RUN)[number]];

let sender: Sender;
let sink: Awaited<ReturnType<typeof startSink>>;
const said: string[] = [];
beforeEach(async () => {
  said.length = 0;
  sender = createSender(MANNER, (line) => said.push(line));
  sink = await startSink();
  sender.sendWebhooksTo(sink.url);
});
afterEach(async () => {
  await sender.close();
  await sink.close();
});

function messageOf(name: string) {
  return { name, body: JSON.stringify({ name }), headers: () => ({ 'content-type': 'application/json' }) };
}
const arrived = () => sink.received.map(({ json }) => json.name);

test('messages go out one after the other, as they are', async () => {
  expect(await sender.send(RUN)).toEqual([200, 200, 200]);
  expect(sink.received.map(({ body }) => body.toString())).toEqual(RUN.map(({ body }) => body));
  expect(said[0]).toBe('webhook started → 200');
});

test('each try is signed anew', async () => {
  let tries = 0;
  sink.answerWith((response, _, count) => response.writeHead(count < 3 ? 500 : 200).end());
  await sender.send([{ ...started, headers: () => ({ 'x-try': String((tries += 1)) }) }]);
  expect(sink.received.map(({ headers }) => headers['x-try'])).toEqual(['1', '2', '3']);
});

test('after the last try it is given up, and one that is not heard counts as none', async () => {
  sender.behave({ tries: 3, retryMs: [10] });
  sink.answerWith((response) => response.destroy());
  expect(await sender.send([started])).toEqual([0]);
  expect(sink.received).toHaveLength(3);
  expect(sender.deliveries).toMatchObject([{ status: 0, tries: 3 }]);
  expect(said.at(-1)).toBe('webhook started → no answer (try 3)');
});

test('what has to be tried again does not hold up the next one', async () => {
  sender.behave({ tries: 1_000, retryMs: [25] });
  sink.answerWith((response) => response.writeHead(arrived().includes('approved') ? 200 : 500).end());
  expect(await sender.send(RUN)).toEqual([200, 200, 200]);
  expect(arrived().slice(0, 3)).not.toEqual(['started', 'started', 'started']);
});

test('lost ones never arrive', async () => {
  sender.behave({ lose: 1 });
  expect(await sender.send(RUN)).toEqual([]);
  expect(sink.received).toHaveLength(0);
  expect(said).toContain('webhook approved is lost on its way');
});

test('a share of them can be lost', async () => {
  sender.behave({ lose: 0.5 });
  const sent = Array.from({ length: 80 }, () => started);
  const answers = await sender.send(sent);
  // Of 80, all or none would be lost once in 2 to the 79.
  expect(answers.length).toBeGreaterThan(0);
  expect(answers.length).toBeLessThan(sent.length);
});

test('reversed, the last one comes first', async () => {
  sender.behave({ reversed: true });
  await sender.send(RUN);
  expect(arrived()).toEqual(['approved', 'submitted', 'started']);
  sender.behave();
  await sender.send(RUN);
  expect(arrived().slice(3)).toEqual(['started', 'submitted', 'approved']);
});

test('copies go out at the same time', async () => {
  sender.behave({ copies: 5 });
  const held: (() => void)[] = [];
  sink.answerWith((response) => held.push(() => response.end()));
  const sent = sender.send([started]);
  await until(() => held.length === 5, 'five copies at once');
  for (const answer of held) answer();
  expect(await sent).toEqual([200, 200, 200, 200, 200]);
  expect(sender.deliveries).toHaveLength(5);
});

test('late, they wait first', async () => {
  sender.behave({ delayMs: 200 });
  const sent = sender.send([started]);
  await sleep(50);
  expect(sink.received).toHaveLength(0);
  expect(await sent).toEqual([200]);
});

test('closing waits for one under way and gives up one that waits to be tried again', async () => {
  sender.behave({ retryMs: [3_600_000] });
  sink.answerWith((response) => void setTimeout(() => response.writeHead(500).end(), 100));
  const sent = sender.send([started]);
  await sender.close();
  expect(await sent).toEqual([500]);
});
