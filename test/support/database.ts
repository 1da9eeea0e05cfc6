import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { connectDatabase } from '../../src/db/database.ts';
import { TEMPLATE } from './global-setup.ts';

type Cluster = { host: string; user: string; password: string; database: string };

/** A database of one's own, cloned from the migrated template. */
export async function createDatabase() {
  const cluster = JSON.parse(process.env.TEST_CLUSTER ?? '{}') as Cluster;
  const name = `test_${randomBytes(6).toString('hex')}`;
  await query(cluster, `create database ${name} template ${TEMPLATE}`);
  const connection = { ...cluster, database: name };
  const { db } = connectDatabase(connection, () => undefined);
  const { host, user, password } = cluster;
  const url = `postgres://${user}:${encodeURIComponent(password)}@localhost/${name}?host=${encodeURIComponent(host)}`;
  return {
    db,
    url,
    connection,
    async close() {
      await db.destroy();
      await query(cluster, `drop database ${name} with (force)`);
    },
  };
}

export type TestDatabase = Awaited<ReturnType<typeof createDatabase>>;

async function query(cluster: Cluster, sql: string): Promise<void> {
  const client = new pg.Client(cluster);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
