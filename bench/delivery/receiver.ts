/** Receivers on loopback, in a process of their own: told how many to open, they answer 200 at once, or never. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Order = { open: number; hanging: boolean } | { expect: number } | { report: true };
export type News =
  | { urls: string[] }
  | { arrived: number; firstMs: number; lastMs: number }
  | { times: [id: string, ms: number][]; arrived: number };

let times: [string, number][] = [];
let expected = Number.POSITIVE_INFINITY;
const clock = () => performance.timeOrigin + performance.now();
const tell = (news: News) => process.send?.(news);

function open(hanging: boolean): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      if (hanging) return;
      response.end('ok');
      times.push([String(request.headers['webhook-id']), clock()]);
      if (times.length === expected)
        tell({ arrived: times.length, firstMs: times[0]![1], lastMs: times.at(-1)![1] });
    });
  });
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`);
    });
  });
}

process.on('message', (order: Order) => void obey(order));

async function obey(order: Order): Promise<void> {
  if ('open' in order) {
    const urls = [];
    for (let n = 0; n < order.open; n++) urls.push(await open(order.hanging));
    tell({ urls });
  } else if ('expect' in order) {
    times = [];
    expected = order.expect;
  } else tell({ times, arrived: times.length });
}
