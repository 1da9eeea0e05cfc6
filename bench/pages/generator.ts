/**
 * Whoever opens the links, in a process of its own. Its loop is open: each is due at a fixed time, is opened then however
 * many still wait for their page, and its time counts from then on; a server that stalls cannot slow down its own
 * measurement.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';

export type Order = { url: string; rate: number; paths: string[] };
/** Of each link: what it was answered (0: nothing), after how many milliseconds all of the page was there, and how late it was opened. */
export type Opened = { statuses: number[]; tookMs: number[]; lateMs: number[] };

const ANSWER_MS = 30_000;

process.on('message', (order: Order) => void open(order));

async function open({ url: origin, rate, paths }: Order): Promise<void> {
  const agent = new Agent({ pipelining: 1, headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS });
  const opened: Opened = { statuses: [], tookMs: [], lateMs: [] };
  const one = async (n: number, dueMs: number): Promise<void> => {
    opened.lateMs[n] = performance.now() - dueMs;
    try {
      const answer = await agent.request({ origin, path: paths[n]!, method: 'GET' });
      await answer.body.text();
      opened.statuses[n] = answer.statusCode;
    } catch {
      opened.statuses[n] = 0;
    }
    opened.tookMs[n] = performance.now() - dueMs;
  };
  const underWay: Promise<void>[] = [];
  const begun = performance.now() + 100;
  for (let n = 0; n < paths.length; n += 1) {
    const dueMs = begun + (1_000 * n) / rate;
    // Timers may end a little early.
    while (performance.now() < dueMs) await sleep(dueMs - performance.now());
    underWay.push(one(n, dueMs));
  }
  await Promise.all(underWay);
  await agent.close();
  process.send?.(opened);
}
