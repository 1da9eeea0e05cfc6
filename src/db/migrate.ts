import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';
import { migrateQueue } from '../queue.ts';
import { withClient } from './client.ts';
import type { Connection } from './client.ts';

const FOLDER = new URL('../../migrations/', import.meta.url);
/** Any number, the same in every process: two starters take turns. */
const ADVISORY_LOCK = 7_230_451;

/** Brings the database up to this version: our files in order, each in a transaction, then the queue's. Returns the names applied. */
export function migrate(connection: Connection): Promise<string[]> {
  return withClient(connection, async (client) => {
    // A session lock, not a transaction's: it covers the queue's migrations too and ends with the connection.
    await client.query('select pg_advisory_lock($1)', [ADVISORY_LOCK]);
    const applied = await applyFiles(client);
    await migrateQueue(client);
    return applied;
  });
}

/** Names of the migrations this version has and the database lacks. */
export function pendingMigrations(connection: Connection): Promise<string[]> {
  return withClient(connection, async (client) => {
    const known = await client.query<{ present: boolean }>(
      `select to_regclass('migrations') is not null as present`,
    );
    return known.rows[0]?.present ? (await compare(client)).pending : files();
  });
}

async function applyFiles(client: pg.Client): Promise<string[]> {
  await client.query(
    'create table if not exists migrations (name text primary key, applied_at timestamptz not null default now())',
  );
  const { pending } = await compare(client);
  for (const name of pending) {
    await client.query('begin');
    try {
      await client.query(await readFile(new URL(name, FOLDER), 'utf8'));
      await client.query('insert into migrations (name) values ($1)', [name]);
      await client.query('commit');
    } catch (error) {
      await client.query('rollback');
      throw new Error(`migration ${name} failed and was rolled back: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  return pending;
}

async function compare(client: pg.Client): Promise<{ pending: string[] }> {
  const known = await files();
  const rows = await client.query<{ name: string }>('select name from migrations order by name');
  const applied = rows.rows.map((row) => row.name);
  // An older program on a newer database would misread it.
  const unknown = applied.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(
      `the database has migrations this version does not know (${unknown.join(', ')}); start the newer version again`,
    );
  }
  return { pending: known.filter((name) => !applied.includes(name)) };
}

async function files(): Promise<string[]> {
  return (await readdir(FOLDER)).filter((name) => /^\d{4}_.+\.sql$/.test(name)).sort();
}
