import { expect, test } from '@jest/globals';
import { nthAttempt } from '../support/deliveries.ts';
import { withStage } from '../support/stage.ts';
import { until } from '../support/until.ts';

/** Redis carries and PostgreSQL remembers: whatever happens to Redis, callbacks arrive. */
const LIMIT_MS = 120_000;
/** The sweep comes by every second; BullMQ takes a while to find a new Redis. */
const REPEATED_MS = 30_000;

test.concurrent(
  'wiped with deliveries waiting: they arrive, once each',
  () =>
    withStage('redis', async (stage) => {
      const api = await stage.serve('api');
      const ids = await Promise.all(Array.from({ length: 20 }, () => stage.settle(api)));
      await until(async () => (await stage.queued()) > 0, 'a hand-over');
      await stage.redis?.wipe();
      await stage.serve('worker');
      await Promise.all(ids.map((id) => stage.sink.waitFor(id, 1, REPEATED_MS)));
      expect(stage.sink.received).toHaveLength(ids.length);
    }),
  LIMIT_MS,
);

test.concurrent(
  'wiped while a retry waits in it: the retry comes in time all the same',
  () =>
    withStage(
      'redis',
      async (stage) => {
        const child = await stage.serve();
        const id = await stage.settle(child);
        const first = await nthAttempt(stage.db, id, 1);
        await stage.redis?.wipe();
        const second = await nthAttempt(stage.db, id, 2, REPEATED_MS);
        const gap = second.attempt.started_at.getTime() - first.attempt.started_at.getTime();
        expect(gap).toBeLessThan(6_000 + 5_000);
        expect(second.delivery.status).toBe('delivered');
      },
      (response, _, count) => response.writeHead(count > 1 ? 200 : 500).end(),
    ),
  LIMIT_MS,
);

test.concurrent(
  'killed and started again: settling goes on meanwhile, and the callbacks arrive',
  () =>
    withStage('redis', async (stage) => {
      const child = await stage.serve();
      await stage.sink.waitFor(await stage.settle(child));
      await stage.redis?.kill();
      const ids = await Promise.all(Array.from({ length: 5 }, () => stage.settle(child)));
      expect(stage.sink.received).toHaveLength(1);
      await stage.redis?.restart();
      await Promise.all(ids.map((id) => stage.sink.waitFor(id, 1, REPEATED_MS)));
      expect(child.ended()).toBe(false);
      expect(stage.sink.received).toHaveLength(1 + ids.length);
    }),
  LIMIT_MS,
);

test.concurrent(
  'away when the server starts: it starts, and delivers once Redis is there',
  () =>
    withStage('redis', async (stage) => {
      await stage.redis?.kill();
      const child = await stage.serve();
      const id = await stage.settle(child);
      await stage.redis?.restart();
      await stage.sink.waitFor(id, 1, REPEATED_MS);
      expect(await child.stop()).toMatchObject({ exitCode: 0 });
    }),
  LIMIT_MS,
);

test.concurrent(
  'away when the server is asked to stop: it stops all the same',
  () =>
    withStage('redis', async (stage) => {
      const child = await stage.serve();
      await stage.sink.waitFor(await stage.settle(child));
      await stage.redis?.kill();
      await stage.settle(child);
      const { exitCode, tookMs } = await child.stop();
      expect({ exitCode, output: child.output() }).toMatchObject({ exitCode: 0 });
      expect(tookMs).toBeLessThan(15_000);
      await stage.redis?.restart();
    }),
  LIMIT_MS,
);
