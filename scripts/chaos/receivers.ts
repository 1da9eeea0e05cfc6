import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const RECEIVERS = 10;
const ANSWER_MS = 10;
/** One request of so many is refused the first time, so that retries are under way as well. */
const REFUSE_EVERY = 50;

/** Receivers on loopback that remember which events they have answered with 200, and how often. */
export async function openReceivers() {
  const taken = new Map<string, number>();
  let requests = 0;
  const servers = await Promise.all(
    Array.from({ length: RECEIVERS }, async () => {
      const server = createServer((request, response) => {
        request.resume().once('end', () => {
          requests += 1;
          const id = String(request.headers['webhook-id']);
          const refuse = requests % REFUSE_EVERY === 0;
          // Taken when it is answered: what a killed sender never heard of counts all the same.
          if (!refuse) taken.set(id, (taken.get(id) ?? 0) + 1);
          setTimeout(() => response.writeHead(refuse ? 500 : 200).end(), ANSWER_MS);
        });
      });
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
      return server;
    }),
  );
  return {
    urls: servers.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`),
    taken,
    /** Events taken more than once: how many times too many. */
    duplicates: () => [...taken.values()].reduce((sum, times) => sum + times - 1, 0),
    async close() {
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
    },
  };
}

export type Receivers = Awaited<ReturnType<typeof openReceivers>>;
