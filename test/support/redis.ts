import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { commandFor } from './tools.ts';

/** A Redis of one's own on a free loopback port, without persistence. */
export async function startRedis() {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'countersign-redis-'));
  const launch = () =>
    spawn(
      commandFor('redis'),
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder],
      { stdio: 'ignore' },
    );
  let child = launch();
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  await client.ping();

  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  return {
    url,
    /** Forgets everything, as a Redis without persistence does. */
    async wipe() {
      await client.flushall();
    },
    /** How long a list is; 0 when there is none. */
    length: (key: string) => client.llen(key),
    /** Whoever writes waits, for so long or until resumeWrites. */
    pauseWrites: (ms: number) => client.call('CLIENT', 'PAUSE', ms, 'WRITE'),
    resumeWrites: () => client.call('CLIENT', 'UNPAUSE').then(() => undefined),
    kill,
    async restart() {
      child = launch();
      await client.ping();
    },
    async close() {
      client.disconnect();
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A port nobody listens on just now. */
export function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
