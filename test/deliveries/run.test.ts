import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { countByStatus, insertDue, startWorker } from '../support/backlog.ts';
import type { TestWorker } from '../support/backlog.ts';
import { openSinks } from '../support/deliveries.ts';
import { until } from '../support/until.ts';

const sinks = openSinks();
afterAll(() => sinks.close());

describe('a run beside a request that hangs', () => {
  let worker: TestWorker;
  beforeEach(async () => {
    worker = await startWorker();
  });
  afterEach(() => worker.close());

  test('finds what came due without a wake, within a second or two', async () => {
    let release = () => undefined as void;
    const sink = await sinks.open((response, _, count) => {
      if (count > 1) response.end();
      else release = () => void response.end();
    });
    await insertDue(worker.db, worker.owner, sink.url, { count: 1 });
    await until(() => sink.received.length === 1, 'a request that hangs');
    await insertDue(worker.db, worker.owner, sink.url, { count: 1 }); // its wake went elsewhere
    await until(() => sink.received.length === 2, 'the next request', 6_000);
    release(); // or the worker waits for it when it stops
  });
});

describe('the end of a run', () => {
  let worker: TestWorker;
  beforeEach(async () => {
    worker = await startWorker();
  });
  afterEach(() => worker.close());
  const endpoint = (id: string) =>
    worker.db.selectFrom('endpoints').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

  test('an endpoint whose breaker opens is let go of at once, however much waits for it', async () => {
    const sink = await sinks.open((response) => response.writeHead(500).end());
    const id = await insertDue(worker.db, worker.owner, sink.url, { count: 500 });
    await until(async () => (await endpoint(id)).open_until !== null, 'an open breaker');
    await until(async () => (await endpoint(id)).lease_token === null, 'a free endpoint', 5_000);
    expect((await countByStatus(worker.db, id)).pending).toBe(500);
  });

  test('a process that stops lets go of an endpoint with a long queue, and of what it has claimed', async () => {
    const sink = await sinks.open((response) => void setTimeout(() => response.end(), 20));
    const id = await insertDue(worker.db, worker.owner, sink.url, { count: 5_000 });
    await until(() => sink.received.length > 100, 'a run at full speed');
    await worker.stop();
    expect((await countByStatus(worker.db, id)).delivered).toBe(sink.received.length);
    expect((await endpoint(id)).lease_token).toBeNull();
  });
});
