import { expect, test } from '@jest/globals';
import { BACKENDS } from '../support/server.ts';
import { withStage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 120_000;
const CHALLENGES = 200;
/** How many requests are under way at a time. */
const AT_ONCE = 20;

test.concurrent.each(BACKENDS)(
  'two processes on one database send each of 200 callbacks exactly once, queue on %s',
  (backend) =>
    withStage(backend, async (stage) => {
      const children = await Promise.all([stage.serve(), stage.serve()]);
      const ids: string[] = [];
      const settleSome = async (share: number) => {
        for (let n = 0; n < CHALLENGES / AT_ONCE; n += 1)
          ids.push(await stage.settle(children[(share + n) % 2]!));
      };
      await Promise.all(Array.from({ length: AT_ONCE }, (_, share) => settleSome(share)));
      expect(ids).toHaveLength(CHALLENGES);
      await Promise.all(ids.map((id) => stage.sink.waitFor(id, 1, 30_000)));
      const open = () => stage.query(`select 1 from deliveries where status <> 'delivered'`);
      await until(async () => (await open()).length === 0, 'all delivered', 30_000);
      expect(stage.sink.received).toHaveLength(CHALLENGES);
      expect(new Set(stage.sink.received.map(({ headers }) => headers['webhook-id'])).size).toBe(CHALLENGES);
      expect(await stage.query('select 1 from delivery_attempts')).toHaveLength(CHALLENGES);
      for (const child of children) expect(await child.stop()).toMatchObject({ exitCode: 0 });
    }),
  LIMIT_MS,
);

test.concurrent.each(BACKENDS)(
  'one process answers, another one delivers, queue on %s',
  (backend) =>
    withStage(backend, async (stage) => {
      const api = await stage.serve('api');
      const early = await stage.settle(api);
      await until(async () => (await stage.queued()) === 1, 'the hand-over');
      expect(stage.sink.received).toHaveLength(0); // nobody works yet

      const worker = await stage.serve('worker');
      expect(worker.url).toBe('');
      await stage.sink.waitFor(early, 1, 20_000);
      const late = await stage.settle(api);
      await stage.sink.waitFor(late, 1, 5_000);
      expect(stage.sink.received).toHaveLength(2);
      for (const child of [api, worker]) expect(await child.stop()).toMatchObject({ exitCode: 0 });
    }),
  LIMIT_MS,
);
