import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEmbedded } from '../../src/db/embedded.ts';
import type { EmbeddedPostgres } from '../../src/db/embedded.ts';

const GONE_MS = 30_000;

/** A PostgreSQL of its own in `folder` that can be stopped, killed and started again at the same address. */
export async function openPostgres(folder: string) {
  let current: EmbeddedPostgres | undefined = await startEmbedded(folder);
  const { connection, stateDir } = current;
  const { host, user, password, database } = connection;
  const start = async () => {
    current ??= await startEmbedded(folder);
  };
  return {
    connection,
    url: `postgres://${user}:${encodeURIComponent(password)}@localhost/${database}?host=${encodeURIComponent(host)}`,
    start,
    /** As an operator would: open connections are ended, everything is written. */
    async stop() {
      await current?.stop();
      current = undefined;
    },
    /** As a power failure would. */
    async kill() {
      const pid = Number(readFileSync(join(stateDir, 'cluster', 'postmaster.pid'), 'utf8').split('\n')[0]);
      process.kill(pid, 'SIGKILL');
      for (const end = Date.now() + GONE_MS; isAlive(pid) && Date.now() < end;) await sleep(50);
      await current?.stop().catch(() => undefined);
      current = undefined;
    },
  };
}

export type Postgres = Awaited<ReturnType<typeof openPostgres>>;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
