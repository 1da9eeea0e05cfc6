import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import pg from 'pg';
import { startEmbedded } from '../../src/db/embedded.ts';
import type { DB } from '../../src/generated/database.ts';
import { cpuSecondsOf } from './children.ts';

/** pg_stat_statements counts what is asked of the database; it must be loaded at start. */
export async function prepareStatistics(folder: string): Promise<void> {
  const first = await startEmbedded(folder);
  const client = new pg.Client(first.connection);
  await client.connect();
  await client.query(`alter system set shared_preload_libraries = 'pg_stat_statements'`);
  await client.query('create extension pg_stat_statements');
  await client.end();
  await first.stop();
}

/** Waits until everything that can be delivered is written down. */
export async function settled(db: Kysely<DB>, hangingUrl: string): Promise<void> {
  for (;;) {
    const { rows } = await sql<{
      open: boolean;
    }>`select exists (select 1 from deliveries join endpoints on endpoints.id = endpoint_id
      where status = 'pending' and origin <> ${new URL(hangingUrl).origin}) as open`.execute(db);
    if (!rows[0]?.open) return;
    await sleep(100);
  }
}

/** What the worker and PostgreSQL have spent so far: CPU seconds and statements. */
export async function expenses(db: Kysely<DB>, worker: ChildProcess) {
  const { rows } = await sql<{ calls: number }>`select coalesce(sum(calls), 0)::float8 as calls
    from pg_stat_statements where query not ilike '%pg_stat_statements%'`.execute(db);
  const postmaster = await sql<{
    pid: number;
  }>`select split_part(pg_read_file('postmaster.pid'), E'\n', 1)::integer as pid`.execute(db);
  return {
    statements: rows[0]?.calls ?? 0,
    cpu: cpuSecondsOf(worker.pid ?? 0),
    postgres: cpuSecondsOf(postmaster.rows[0]?.pid ?? 0, true),
  };
}
