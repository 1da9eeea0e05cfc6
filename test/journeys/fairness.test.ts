import { expect, test } from '@jest/globals';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { countByStatus, insertDue, insertOwner, withWorkers } from '../support/backlog.ts';
import type { WorkersStage } from '../support/backlog.ts';
import { freePort } from '../support/redis.ts';
import { BACKENDS } from '../support/server.ts';
import { startSink } from '../support/sink.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 150_000;

/** A receiver that answers after a while and remembers how many requests it has had at the same time. */
async function countingSink(stage: WorkersStage, holdMs: number) {
  let now = 0;
  const seen = { most: 0 };
  const sink = await startSink((response) => {
    now += 1;
    seen.most = Math.max(seen.most, now);
    setTimeout(() => {
      now -= 1;
      response.end();
    }, holdMs);
  });
  stage.closeLater(() => sink.close());
  return { url: sink.url, received: sink.received, seen };
}

/** Where connections are accepted at every loopback address, and nothing is ever said. */
async function hangingPort(stage: WorkersStage): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
  await new Promise<void>((listening) => server.listen(0, '0.0.0.0', listening));
  stage.closeLater(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test.concurrent.each(BACKENDS)(
  'however many workers, an endpoint has at most its cap of requests under way, queue on %s',
  (backend) =>
    withWorkers(backend, async (stage) => {
      const { db, owner, key } = stage;
      const narrow = await insertOwner(db, key, { in_flight_cap: 3 });
      const [usual, capped] = [await countingSink(stage, 30), await countingSink(stage, 30)];
      await Promise.all([stage.work(), stage.work()]);
      for (let n = 0; n < 10; n += 1) {
        await insertDue(db, owner, usual.url, { count: 30 });
        await insertDue(db, narrow, capped.url, { count: 10 });
        await sleep(50);
      }
      await until(async () => (await countByStatus(db)).delivered === 400, 'all delivered', 60_000);
      expect([usual.seen.most, capped.seen.most]).toEqual([10, 3]);
      expect([usual.received.length, capped.received.length]).toEqual([300, 100]);
    }),
  LIMIT_MS,
);

test.concurrent(
  'an endpoint that hangs with a long queue keeps nobody waiting',
  () =>
    withWorkers('postgres', async (stage) => {
      const { db, owner } = stage;
      await stage.work();
      const healthy = await Promise.all(Array.from({ length: 20 }, () => countingSink(stage, 5)));
      const deliverTo = async (count: number) => {
        const before = healthy.map(({ received }) => received.length);
        const started = performance.now();
        for (const { url } of healthy) await insertDue(db, owner, url, { count });
        const done = () => healthy.every(({ received }, index) => received.length >= before[index]! + count);
        await until(done, 'the healthy ones', 60_000);
        return performance.now() - started;
      };
      await deliverTo(5); // warm
      const alone = await deliverTo(25);
      let hanging = 0;
      const silent = await startSink(() => void (hanging += 1));
      stage.closeLater(() => silent.close());
      const id = await insertDue(db, owner, silent.url, { count: 2_000 });
      await until(() => hanging >= 10, 'requests that hang', 20_000);
      const beside = await deliverTo(25);
      // Ten seconds are one hanging request: nobody has waited for one.
      expect(beside).toBeLessThan(Math.max(3 * alone, 9_000));
      expect((await countByStatus(db, id)).delivered).toBeUndefined();
    }),
  LIMIT_MS,
);

test.concurrent(
  'late retries of many dead endpoints keep no fresh event waiting',
  () =>
    withWorkers('postgres', async (stage) => {
      const { db, owner } = stage;
      const port = await hangingPort(stage);
      for (let n = 0; n < 300; n += 1) {
        const dead = `http://127.${1 + Math.floor(n / 250)}.${n % 250}.1:${port}/`;
        await insertDue(db, owner, dead, { count: 3, lane: 2, attempts: 4 });
      }
      const refused = `http://127.0.0.1:${await freePort()}/`;
      await insertDue(db, owner, refused, { count: 500, lane: 2, attempts: 4 });
      await stage.work();
      await sleep(3_000); // they have taken what they can get
      const fresh = await countingSink(stage, 1);
      const started = performance.now();
      await insertDue(db, owner, fresh.url, { count: 50 });
      await until(() => fresh.received.length === 50, 'the fresh ones', 30_000);
      // The dead ones take ten seconds each: nobody has waited for one.
      expect(performance.now() - started).toBeLessThan(9_000);
    }),
  LIMIT_MS,
);
