import { expect, test } from '@jest/globals';
import { nthAttempt } from '../support/deliveries.ts';
import { BACKENDS } from '../support/server.ts';
import { withStage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 120_000;
const AWAY_MS = 5_000;

test.concurrent.each(BACKENDS)(
  'PostgreSQL goes away with callbacks under way: their results are kept, and later ones arrive, queue on %s',
  (backend) =>
    withStage(
      backend,
      async (stage) => {
        const child = await stage.serve();
        const ids = await Promise.all(Array.from({ length: 5 }, () => stage.settle(child)));
        await until(() => stage.sink.received.length === ids.length, 'all requests at the receiver');
        await stage.outage(AWAY_MS);
        for (const id of ids) {
          const { attempt, delivery } = await nthAttempt(stage.db, id, 1, 30_000);
          expect(attempt).toMatchObject({ attempt: 1, status_code: 200 });
          expect(delivery.status).toBe('delivered');
        }
        expect(stage.sink.received).toHaveLength(ids.length);

        const again = () => stage.settle(child).catch(() => undefined);
        const id = await until(again, 'a server that answers again');
        await stage.sink.waitFor(id, 1, 20_000);
        expect(child.ended() ? child.output() : 'up').toBe('up');
        expect(await child.stop()).toMatchObject({ exitCode: 0 });
      },
      (response) => void setTimeout(() => response.end('ok'), 2_000),
    ),
  LIMIT_MS,
);
