import { createServer } from 'node:http';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './until.ts';

export type Received = {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  json: Record<string, unknown>;
};
export type Answer = (response: ServerResponse, received: Received, count: number) => void;

/** A callback receiver over real HTTP that remembers what it got; `answer` decides what it says (default: 200). */
export async function startSink(answer: Answer = (response) => response.end('ok')) {
  const received: Received[] = [];
  let current = answer;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const one = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body,
        json: parse(body),
      };
      received.push(one);
      current(response, one, received.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  return {
    url,
    received,
    /** Everything received for one challenge. */
    of: (challengeId: string) => received.filter((one) => one.json.challenge_id === challengeId),
    answerWith(next: Answer) {
      current = next;
    },
    /** Waits for the n-th callback about a challenge. */
    async waitFor(challengeId: string, n = 1, timeoutMs = 10_000): Promise<Received> {
      const nth = () => received.filter((one) => one.json.challenge_id === challengeId)[n - 1];
      return until(nth, `callback ${n} of challenge ${challengeId}`, timeoutMs);
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

function parse(body: Buffer): Record<string, unknown> {
  try {
    return JSON.parse(body.toString()) as Record<string, unknown>;
  } catch {
    return {};
  }
}
