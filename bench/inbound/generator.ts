/**
 * The sender, in a process of its own. Its loop is open: each webhook is due at a fixed time, is sent then however many
 * still wait for their answer, and its latency counts from that time; a server that stalls cannot slow down its own
 * measurement.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';
import type { Webhook } from './plan.ts';

export type Order = { url: string; rate: number; webhooks: Webhook[] };
/** Of each webhook: what it was answered (0: nothing), after how many milliseconds, and how late it was sent. */
export type Fared = { statuses: number[]; latenciesMs: number[]; lateMs: number[] };

const ANSWER_MS = 30_000;

process.on('message', (order: Order) => void send(order));

async function send({ url, rate, webhooks }: Order): Promise<void> {
  const { origin, pathname: path } = new URL(url);
  const agent = new Agent({ pipelining: 1, headersTimeout: ANSWER_MS });
  const fared: Fared = { statuses: [], latenciesMs: [], lateMs: [] };
  const one = async (n: number, dueMs: number): Promise<void> => {
    fared.lateMs[n] = performance.now() - dueMs;
    const { headers, body } = webhooks[n]!;
    try {
      const answer = await agent.request({ origin, path, method: 'POST', headers, body });
      fared.latenciesMs[n] = performance.now() - dueMs;
      fared.statuses[n] = answer.statusCode;
      await answer.body.dump();
    } catch {
      fared.latenciesMs[n] = performance.now() - dueMs;
      fared.statuses[n] = 0;
    }
  };
  const underWay: Promise<void>[] = [];
  const begun = performance.now() + 100;
  for (let n = 0; n < webhooks.length; n += 1) {
    const dueMs = begun + (1_000 * n) / rate;
    // Timers may end a little early.
    while (performance.now() < dueMs) await sleep(dueMs - performance.now());
    underWay.push(one(n, dueMs));
  }
  await Promise.all(underWay);
  await agent.close();
  process.send?.(fared);
}
