import { Kysely, PostgresDialect } from 'kysely';
import type { Transaction } from 'kysely';
import pg from 'pg';
import type { DB } from '../generated/database.ts';

/** The database, or a transaction in it: store functions take either, so that the caller decides. */
export type Db = Kysely<DB> | Transaction<DB>;

/** How to reach PostgreSQL: a URL, or the parts of a unix-socket connection. */
export type Connection =
  { connectionString: string } | { host: string; user: string; password: string; database: string };

const POOL_SIZE = 10;
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;

/** A pool and Kysely over it. Broken connections are reported to `onError` and replaced. */
export function connectDatabase(
  connection: Connection,
  onError: (error: unknown) => void,
  poolSize = POOL_SIZE,
) {
  const pool = new pg.Pool({
    ...connection,
    max: poolSize,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    application_name: 'countersign',
  });
  pool.on('error', onError);
  // The pool listens to idle connections only; one that breaks while in use would end the process.
  pool.on('connect', (client) => client.on('error', onError));
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) });
  return { db, pool };
}
