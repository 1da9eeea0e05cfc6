import { expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from '../support/child.ts';
import { attemptsOf, deliveriesOf, nthAttempt } from '../support/deliveries.ts';
import { BACKENDS } from '../support/server.ts';
import { HOLDER, withStage } from '../support/stage.ts';
import type { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

/** Each with processes of its own, side by side; most of their time is waiting for a lease to lapse. */
const LIMIT_MS = 120_000;
/** A lease of 20 s, a sweep of 1 s, and a busy machine. */
const LAPSED_MS = 60_000;

test.concurrent.each(BACKENDS)(
  'killed between commit and hand-over: the next process delivers, queue on %s',
  (backend) =>
    withStage(backend, async (stage) => {
      const child = await stage.serve();
      const release = await stage.holdQueue();
      const id = await stage.settle(child);
      await sleep(500); // it has committed, and its hand-over hangs
      await child.kill();
      await cutConnections(stage); // what the dead process had begun
      await release();
      const [delivery] = await deliveriesOf(stage.db, id);
      expect(delivery).toMatchObject({ status: 'pending', attempts: 0 });
      expect(await stage.queued()).toBe(0);
      expect(stage.sink.received).toHaveLength(0);

      await stage.serve('worker');
      await stage.sink.waitFor(id);
      const { delivery: done } = await nthAttempt(stage.db, id, 1);
      expect(done).toMatchObject({ status: 'delivered', attempts: 1 });
      expect(stage.sink.received).toHaveLength(1);
    }),
  LIMIT_MS,
);

test.concurrent.each(BACKENDS)(
  'killed while the receiver has the request: sent once more when the lease has lapsed, queue on %s',
  (backend) =>
    withStage(
      backend,
      async (stage) => {
        const child = await stage.serve();
        const id = await stage.settle(child);
        const first = await stage.sink.waitFor(id);
        await child.kill();
        await stage.serve();
        const second = await stage.sink.waitFor(id, 2, LAPSED_MS);
        expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
        expect(second.body.equals(first.body)).toBe(true);
        const { attempt, delivery } = await nthAttempt(stage.db, id, 1);
        // The attempt whose end nobody knows is not spent.
        expect(attempt).toMatchObject({ attempt: 1, status_code: 200 });
        expect(delivery).toMatchObject({ status: 'delivered', attempts: 1 });
        // The dead process's job runs again after 30 s or more, and must find nothing to do.
        await sleep(20_000);
        expect(stage.sink.received).toHaveLength(2);
      },
      (response, _, count) => (count > 1 ? response.end('ok') : undefined),
    ),
  LIMIT_MS,
);

test.concurrent.each(BACKENDS)(
  'every PostgreSQL connection cut, again and again: the server stays up and delivers, queue on %s',
  (backend) =>
    withStage(backend, async (stage) => {
      const child = await stage.serve();
      const settled: string[] = [];
      for (let round = 0; round < 8; round += 1) {
        const wave = Array.from({ length: 12 }, () => stage.settle(child).then((id) => settled.push(id)));
        await sleep(20 * round);
        await cutConnections(stage);
        await Promise.allSettled(wave); // some of them were cut off; what was answered counts
        expect(child.ended() ? child.output() : 'up').toBe('up');
      }
      const again = () => stage.settle(child).catch(() => undefined);
      settled.push(await until(again, 'a server that answers again'));
      await Promise.all(settled.map((id) => stage.sink.waitFor(id, 1, LAPSED_MS)));
      const undone = async () =>
        (await stage.query(`select 1 from deliveries where status <> 'delivered'`)).length;
      await until(async () => (await undone()) === 0, 'nothing left to deliver', LAPSED_MS);
      expect(child.ended()).toBe(false);
    }),
  LIMIT_MS,
);

test.concurrent.each(BACKENDS)(
  'asked to stop with callbacks under way: it ends well in time and every result is written down, queue on %s',
  (backend) =>
    withStage(
      backend,
      async (stage) => {
        const child = await stage.serve();
        await stage.query('update integrations set in_flight_cap = 30');
        const ids = await Promise.all(Array.from({ length: 30 }, () => stage.settle(child)));
        await until(() => stage.sink.received.length === 30, 'all requests at the receiver');
        const client = await sendHalf(child, stage);
        const { exitCode, tookMs } = await child.stop();
        client.destroy();
        expect({ exitCode, output: child.output() }).toMatchObject({ exitCode: 0 });
        expect(tookMs).toBeLessThan(15_000);

        const silent = String(stage.sink.received[0]?.json.challenge_id);
        for (const id of ids) {
          const attempts = await attemptsOf(stage.db, id);
          const [delivery] = await deliveriesOf(stage.db, id);
          expect(attempts).toMatchObject([
            id === silent
              ? { attempt: 1, status_code: null, error_class: 'timeout' }
              : { attempt: 1, status_code: 200, error_class: null },
          ]);
          expect(delivery?.status).toBe(id === silent ? 'pending' : 'delivered');
        }
        expect(stage.sink.received).toHaveLength(30);
      },
      // the first never, the others after a while
      (response, _, count) => void (count > 1 && setTimeout(() => response.end('ok'), 3_000)),
    ),
  LIMIT_MS,
);

/** A client that never finishes its request, so that the server must end it. */
async function sendHalf({ url }: Child, { apiKey }: Stage): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  await once(socket, 'connect');
  const headers = [`Host: ${hostname}`, `X-API-Key: ${apiKey}`, 'Content-Type: application/json'];
  const lines = ['POST /api/v1/challenges HTTP/1.1', ...headers, 'Content-Length: 100', '', '{'];
  socket.write(lines.join('\r\n'));
  await sleep(300);
  return socket;
}

/** Ends all connections but this one and the one that holds the queue, and waits until the test has new ones itself. */
async function cutConnections({ query, db }: Pick<Stage, 'query' | 'db'>): Promise<void> {
  await query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
       and application_name <> '${HOLDER}'`,
  );
  const answers = () =>
    db
      .selectFrom('tenants')
      .select('id')
      .execute()
      .then(
        () => true,
        () => false,
      );
  await until(answers, 'the test’s own connections to be new');
}
