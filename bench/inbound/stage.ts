import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connectDatabase } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { createSealer } from '../../src/kernel/crypto.ts';
import { openPostgres } from '../../scripts/chaos/postgres.ts';
import { insertOwner } from '../../test/support/backlog.ts';
import { startRedis } from '../../test/support/redis.ts';
import { testEnv } from '../../test/support/server.ts';
import type { Backend } from '../../test/support/server.ts';

export type Closers = (() => Promise<unknown>)[];

const START_MS = 60_000;
/** Node's own arguments, as `npm start` has them; BENCH_NODE_ARGS adds some, such as --cpu-prof. */
const NODE_ARGS = [
  '--max-semi-space-size=64',
  ...(process.env.BENCH_NODE_ARGS ?? '').split(' ').filter(Boolean),
];

/** The built server as a process of its own, on a PostgreSQL (and Redis) of its own; closers run in reverse order. */
export async function openStage(backend: Backend, closers: Closers, env: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-inbound-'));
  closers.push(async () => rmSync(folder, { recursive: true, force: true }));
  const postgres = await openPostgres(folder);
  closers.push(() => postgres.stop());
  await migrate(postgres.connection);
  const redis = backend === 'redis' ? await startRedis() : undefined;
  if (redis) closers.push(() => redis.close());
  const { db } = connectDatabase(postgres.connection, () => undefined);
  closers.push(() => db.destroy());
  const key = randomBytes(32);
  const owner = await insertOwner(db, key);
  const settings = testEnv(postgres.url, redis?.url, key, { LOG_LEVEL: 'info', ...env });
  const server = await startServer(settings);
  closers.push(() => server.stop());
  return { db, sealer: createSealer([key]), owner, server };
}

export type Stage = Awaited<ReturnType<typeof openStage>>;

/** Its log is read and dropped, as a log collector would; what went wrong in it is counted. */
async function startServer(settings: Record<string, string>) {
  const child = spawn(process.execPath, [...NODE_ARGS, 'dist/cli.js', 'serve'], {
    env: { ...process.env, NODE_ENV: 'production', ...settings },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const faults: string[] = [];
  const lines = createInterface({ input: child.stdout });
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the server did not start in time')), START_MS);
    child.once('exit', (code) => reject(new Error(`the server ended with code ${code}`)));
    lines.on('line', (line) => {
      const listens = /Countersign listens on (\S+)/.exec(line)?.[1];
      if (listens !== undefined) {
        clearTimeout(timer);
        resolve(listens);
      }
      if (isFault(line)) faults.push(line);
    });
  }).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  return {
    url,
    pid: child.pid ?? 0,
    /** lines of its log that tell of a failure of ours */
    faults: faults as readonly string[],
    async stop(): Promise<void> {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
    },
  };
}

function isFault(line: string): boolean {
  return line.includes('"level":"error"') || line.includes('"a job failed"');
}
