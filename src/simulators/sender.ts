import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery, Message, SimulatorOptions, Travel } from './simulator.ts';

/** What a vendor says of its webhooks: what counts as received, how long it waits for that, and when it tries again. */
type Manner = {
  accepts: (status: number) => boolean;
  answerMs: number;
  retryMs: readonly number[];
};
/** A message may say what it is, for whoever watches. */
type Named = Message & { name?: string };

/** The part of a simulator that sends webhooks; it never rejects. */
export type Sender = ReturnType<typeof createSender>;

/** Sends messages to one address as the vendor does, or as `behave` says. */
export function createSender({ accepts, answerMs, retryMs }: Manner, tell: SimulatorOptions['tell']) {
  const usual: Travel = {
    delayMs: 0,
    lose: 0,
    copies: 1,
    reversed: false,
    tries: retryMs.length + 1,
    retryMs,
  };
  const deliveries: Delivery[] = [];
  const underWay = new Set<Promise<unknown>>();
  const closing = new AbortController();
  let travel = usual;
  let webhookUrl = '';

  const attempt = async (message: Named, number: number): Promise<number> => {
    const status = await post(webhookUrl, message, answerMs);
    tell?.(`webhook ${message.name ?? ''} → ${status || 'no answer'}${number > 1 ? ` (try ${number})` : ''}`);
    return status;
  };
  const send = async (messages: readonly Named[], { lose, copies, reversed, ...way }: Travel) => {
    const arriving: Promise<Delivery>[] = [];
    for (const message of reversed ? [...messages].reverse() : messages) {
      if (Math.random() < lose) {
        tell?.(`webhook ${message.name ?? ''} is lost on its way`);
        continue;
      }
      await sleep(way.delayMs);
      const began = performance.now();
      const first = await Promise.all(Array.from({ length: copies }, () => attempt(message, 1)));
      // The next one does not wait for what has to be tried again.
      arriving.push(...first.map((status) => tryAgain(message, status, began, way)));
    }
    return Promise.all(arriving);
  };
  const tryAgain = async (
    message: Named,
    answered: number,
    began: number,
    { tries, retryMs: waits }: Pick<Travel, 'tries' | 'retryMs'>,
  ): Promise<Delivery> => {
    let [status, number] = [answered, 1];
    while (!accepts(status) && number < tries && !closing.signal.aborted) {
      const waited = sleep(waits[number - 1] ?? waits.at(-1) ?? 0, true, { signal: closing.signal });
      if (!(await waited.catch(() => false))) break;
      number += 1;
      status = await attempt(message, number);
    }
    const delivery = {
      body: message.body.toString(),
      status,
      tries: number,
      ms: Math.round(performance.now() - began),
    };
    deliveries.push(delivery);
    return delivery;
  };

  return {
    deliveries: deliveries as readonly Delivery[],
    sendWebhooksTo(url: string): void {
      webhookUrl = url;
    },
    behave(change: Partial<Travel> = {}): void {
      travel = { ...usual, ...change };
    },
    async send(messages: readonly Message[]): Promise<number[]> {
      const sent = send(messages, travel);
      underWay.add(sent);
      const done = await sent.finally(() => underWay.delete(sent));
      return done.map(({ status }) => status);
    },
    /** Waits for what is on its way; what failed so far is not tried again. */
    async close(): Promise<void> {
      closing.abort();
      await Promise.all(underWay);
    },
  };
}

/** The status of the answer; 0 when there was none in time. A redirect is an answer like any other. */
async function post(url: string, { body, headers }: Message, answerMs: number): Promise<number> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: headers(),
      body: new Uint8Array(Buffer.from(body)),
      redirect: 'manual',
      signal: AbortSignal.timeout(answerMs),
    });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return 0;
  }
}
