import { expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild } from '../support/child.ts';
import { createDatabase } from '../support/database.ts';
import { startDatabaseProxy } from '../support/database-proxy.ts';
import { freePort } from '../support/redis.ts';
import { testEnv } from '../support/server.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 120_000;

test.concurrent(
  'a database that is absent at start is waited for, and the server starts by itself',
  async () => {
    const database = await createDatabase();
    const proxy = await startDatabaseProxy(database);
    proxy.cut();
    const settings = testEnv(proxy.url, undefined, randomBytes(32), { LOG_LEVEL: 'warn' });
    const starting = startChild(settings);
    await sleep(6_000); // longer than it takes to find out
    proxy.mend();
    const child = await starting;
    try {
      expect(child.output()).toContain('waiting for the database');
      const ready = async () => (await fetch(`${child.url}/readyz`)).status === 200;
      await until(ready, 'a server that is ready');
      expect(await child.stop()).toMatchObject({ exitCode: 0 });
    } finally {
      await child.kill();
      await proxy.close();
      await database.close();
    }
  },
  LIMIT_MS,
);

test.concurrent(
  'a worker answers probes and Prometheus on OPS_PORT, and nothing else',
  async () => {
    const database = await createDatabase();
    const port = await freePort();
    const env = { OPS_PORT: String(port), LOG_LEVEL: 'warn', METRICS_TOKEN: 'let-me-see' };
    const child = await startChild(testEnv(database.url, undefined, randomBytes(32), env), 'worker');
    try {
      const get = (path: string, headers = {}) => fetch(`http://127.0.0.1:${port}${path}`, { headers });
      expect(child.output()).toContain(`Health and metrics on http://127.0.0.1:${port}`);
      expect((await get('/healthz')).status).toBe(200);
      expect(await (await get('/readyz')).json()).toEqual({ status: 'ok', oldest_due_seconds: 0 });
      expect((await get('/metrics')).status).toBe(401);
      const metrics = await get('/metrics', { authorization: 'Bearer let-me-see' });
      expect(await metrics.text()).toContain('countersign_in_flight 0');
      expect((await get('/api/v1/challenges')).status).toBe(404);
      expect(await child.stop()).toMatchObject({ exitCode: 0 });
    } finally {
      await child.kill();
      await database.close();
    }
  },
  LIMIT_MS,
);
