import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import type { KyselyPlugin } from 'kysely';
import supertest from 'supertest';
import { opsRoutes } from '../../src/api/ops.ts';
import { readConfig } from '../../src/config.ts';
import { connectDatabase } from '../../src/db/database.ts';
import { createApp } from '../../src/http.ts';
import { newId } from '../../src/kernel/id.ts';
import { createLog } from '../../src/kernel/log.ts';
import { createMetrics } from '../../src/kernel/metrics.ts';
import { startOpsServer } from '../../src/ops-server.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { startDatabaseProxy } from '../support/database-proxy.ts';
import { expectRefusal } from '../support/refusal.ts';
import { until } from '../support/until.ts';

const NOW = new Date('2026-01-01T12:00:00Z');
const TOKEN = 'scrape me';

const log = createLog('silent');
const config = readConfig({});
const [tenant, integration, endpoint] = [newId(), newId(), newId()];
let database: TestDatabase;
let proxy: Awaited<ReturnType<typeof startDatabaseProxy>>;
let shaky: ReturnType<typeof connectDatabase>;
beforeAll(async () => {
  database = await createDatabase();
  proxy = await startDatabaseProxy(database);
  shaky = connectDatabase({ connectionString: proxy.url }, () => undefined);
  await sql`insert into tenants (id, name) values (${tenant}, 'T')`.execute(database.db);
  await sql`insert into integrations (id, tenant_id, name, mode)
    values (${integration}, ${tenant}, 'I', 'test')`.execute(database.db);
  await sql`insert into endpoints (id, tenant_id, integration_id, mode, origin, created_at)
    values (${endpoint}, ${tenant}, ${integration}, 'test', 'https://example.com', ${NOW})`.execute(
    database.db,
  );
});
afterEach(async () => {
  proxy.mend();
  await database.db.deleteFrom('deliveries').execute();
});
afterAll(async () => {
  await shaky.db.destroy();
  await proxy.close();
  await database.close();
});

type Role = Parameters<typeof opsRoutes>[0]['role'];

/** What a process of this role needs; each call measures anew. */
function depsOf({ role = 'all', metricsToken }: { role?: Role; metricsToken?: string } = {}) {
  return { db: shaky.db, metrics: createMetrics(), role, now: () => NOW, metricsToken, log };
}

function start(deps = depsOf()) {
  const router = opsRoutes({ ...deps, publicUrl: config.publicUrl });
  return supertest(createApp({ config, log, doors: [{ path: '/', router }] }));
}

/** A delivery that has been due for so long. */
async function wait(seconds: number): Promise<void> {
  const [event, due] = [newId(), new Date(NOW.getTime() - seconds * 1_000)];
  await sql`insert into events (id, tenant_id, mode, type, occurred_at)
    values (${event}, ${tenant}, 'test', 'test', ${due})`.execute(database.db);
  await sql`insert into deliveries (id, event_id, endpoint_id, tenant_id, integration_id, url, next_attempt_at, created_at)
    values (${newId()}, ${event}, ${endpoint}, ${tenant}, ${integration}, 'https://example.com', ${due}, ${due})`.execute(
    database.db,
  );
}

describe('readiness', () => {
  test.each(['all', 'api', 'worker'] as const)(
    'a process of role %s is ready when nothing is late',
    async (role) => {
      await start(depsOf({ role })).get('/readyz').expect(200, { status: 'ok', oldest_due_seconds: 0 });
      await wait(60.9);
      await start(depsOf({ role })).get('/readyz').expect(200, { status: 'ok', oldest_due_seconds: 60 });
    },
  );

  test.each(['all', 'worker'] as const)(
    'a process of role %s is not, when work is left undone',
    async (role) => {
      await wait(61);
      await start(depsOf({ role }))
        .get('/readyz')
        .expect(503, { status: 'deliveries are late', oldest_due_seconds: 61 });
    },
  );

  test('a process that does not deliver shows the number and stays ready', async () => {
    await wait(4_000);
    await start(depsOf({ role: 'api' }))
      .get('/readyz')
      .expect(200, { status: 'ok', oldest_due_seconds: 4_000 });
  });

  test('without the database nobody is ready, everybody is up, and it passes by itself', async () => {
    proxy.cut();
    for (const role of ['all', 'api', 'worker'] as const) {
      const request = start(depsOf({ role }));
      await request.get('/readyz').expect(503, { status: 'database unavailable' });
      await request.get('/healthz').expect(200, { status: 'ok' });
    }
    const request = start();
    await request.get('/readyz').expect(503);
    proxy.mend();
    await until(async () => (await request.get('/readyz')).status === 200, 'the database to be back');
  });

  test('a database that keeps silent counts as away in time, and is not asked again meanwhile', async () => {
    const { db, asked } = counted();
    const request = start({ ...depsOf(), db });
    await database.db.transaction().execute(async (tx) => {
      await sql`lock table deliveries in access exclusive mode`.execute(tx);
      const begun = performance.now();
      await request.get('/readyz').expect(503, { status: 'database unavailable' });
      await request.get('/readyz').expect(503);
      await request.get('/readyz').expect(503);
      expect(performance.now() - begun).toBeLessThan(4_500);
    });
    expect(asked()).toBe(1);
  });
});

describe('metrics', () => {
  test('are those of the process and of the database, in the text format', async () => {
    const deps = depsOf();
    deps.metrics.wakesTotal.inc(2);
    await wait(7);
    const answer = await start(deps).get('/metrics').expect(200);
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.text).toMatch(/^countersign_wakes_total 2$/m);
    expect(answer.text).toMatch(/^countersign_backlog\{lane="first"\} 1$/m);
    expect(answer.text).toMatch(/^countersign_backlog\{lane="late"\} 0$/m);
    expect(answer.text).toMatch(/^countersign_oldest_due_seconds 7$/m);
    expect(answer.text).toMatch(/^countersign_endpoints\{state="healthy"\} 1$/m);
    expect(answer.text).toMatch(/^countersign_dead_total 0$/m);
    expect(answer.text).toMatch(/^countersign_dead_tuple_ratio\{table="jobs.job"\} [\d.]+$/m);
    expect(answer.text).toMatch(/^countersign_oldest_transaction_seconds [\d.]+$/m);
  });

  test('while the database is away they are what the process knows, and no number that was true once', async () => {
    const deps = depsOf();
    const request = start(deps);
    await request.get('/metrics').expect(200, /^countersign_oldest_due_seconds 0$/m);
    proxy.cut();
    deps.metrics.inFlight.set(4);
    const gone = await until(async () => {
      const { status, text } = await request.get('/metrics');
      expect(status).toBe(200);
      return !/^countersign_oldest_due_seconds \d/m.test(text) && text;
    }, 'the old measurement to be forgotten');
    expect(gone).toMatch(/^countersign_in_flight 4$/m);
    for (const name of [
      'backlog',
      'endpoints',
      'dead_total',
      'dead_tuple_ratio',
      'oldest_transaction_seconds',
    ])
      expect(gone).not.toMatch(new RegExp(`^countersign_${name}[ {]`, 'm'));
    proxy.mend();
    await until(
      async () => /^countersign_backlog\{lane="first"\} 0$/m.test((await request.get('/metrics')).text),
      'the numbers to be back',
    );
  });

  test('however many ask, the database is asked once a second', async () => {
    const { db, asked } = counted();
    const request = start({ ...depsOf(), db });
    await request.get('/metrics');
    const once = asked();
    expect(once).toBeGreaterThan(0);
    await Promise.all(Array.from({ length: 20 }, () => request.get('/metrics').expect(200)));
    expect(asked()).toBe(once);
    await until(async () => {
      await request.get('/metrics');
      return asked() > once;
    }, 'a new measurement');
    expect(asked()).toBe(2 * once);
  });

  test.each([
    ['nothing', undefined],
    ['another token', 'Bearer scrape us'],
    ['a part of it', 'Bearer scrape'],
    ['an empty one', 'Bearer '],
    ['another scheme', `Basic ${TOKEN}`],
    ['the token alone', TOKEN],
  ])('with a token set, %s is refused', async (_what, authorization) => {
    const request = start(depsOf({ metricsToken: TOKEN })).get('/metrics');
    const answer = await (authorization === undefined
      ? request
      : request.set('Authorization', authorization));
    expectRefusal(answer, 401, { code: 'unauthorized', error: 'Invalid or missing metrics token' });
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="metrics"');
    expect(answer.text).not.toContain('countersign_');
  });

  test('the token opens them, and the probes never need it', async () => {
    const request = start(depsOf({ metricsToken: TOKEN }));
    await request.get('/metrics').set('Authorization', `Bearer ${TOKEN}`).expect(200);
    await request.get('/metrics').set('Authorization', `bearer ${TOKEN}`).expect(200);
    await request.get('/healthz').expect(200);
    await request.get('/readyz').expect(200);
  });

  test('are read, not written', async () => {
    const answer = await start().post('/metrics');
    expectRefusal(answer, 405, { code: 'method_not_allowed' });
    expect(answer.headers.allow).toBe('GET, HEAD');
  });
});

test('a worker answers these three on a port of its own, and nothing else', async () => {
  const { url, stop } = await startOpsServer(config, 0, depsOf({ role: 'worker', metricsToken: TOKEN }));
  try {
    const request = supertest(url);
    await wait(90);
    await request.get('/healthz').expect(200);
    await request.get('/readyz').expect(503, { status: 'deliveries are late', oldest_due_seconds: 90 });
    expectRefusal(await request.get('/metrics'), 401, { code: 'unauthorized' });
    const { headers } = await request.get('/metrics').set('Authorization', `Bearer ${TOKEN}`).expect(200);
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers['x-content-type-options']).toBe('nosniff');
    for (const path of ['/', '/openapi.yaml', '/api/v1/challenges'])
      expectRefusal(await request.get(path), 404, { code: 'not_found' });
  } finally {
    await stop();
  }
  await expect(fetch(url)).rejects.toThrow();
});

/** The database, and how many statements it was asked. */
function counted() {
  let count = 0;
  const counting: KyselyPlugin = {
    transformQuery: ({ node }) => {
      count += 1;
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
  return { db: shaky.db.withPlugin(counting), asked: () => count };
}
