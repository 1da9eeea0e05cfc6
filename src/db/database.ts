import { Kysely, PostgresDialect } from 'kysely';
import type { Transaction } from 'kysely';
import pg from 'pg';
import type { DB } from '../generated/database.ts';
import { poolSettings } from './client.ts';
import type { Connection } from './client.ts';

export type { Connection } from './client.ts';
/** The database, or a transaction in it: store functions take either, so that the caller decides. */
export type Db = Kysely<DB> | Transaction<DB>;

const POOL_SIZE = 10;
const STATEMENT_TIMEOUT_MS = 30_000;
/** A process that vanished in mid-transaction must not hold its locks until TCP gives up. */
const IDLE_IN_TRANSACTION_MS = 10_000;

/**
 * A pool and Kysely over it. Connections that break, or owe an answer for `answerTimeoutMs`, are replaced; those that
 * break are also reported to `onError`.
 */
export function connectDatabase(
  connection: Connection,
  onError: (error: unknown) => void,
  { poolSize = POOL_SIZE, answerTimeoutMs }: { poolSize?: number; answerTimeoutMs?: number } = {},
) {
  const pool = new pg.Pool({
    ...poolSettings(connection, answerTimeoutMs),
    max: poolSize,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    application_name: 'countersign',
  });
  // The pool listens to idle connections only.
  pool.on('error', onError);
  pool.on('connect', (client) => client.on('error', onError));
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) });
  return { db, pool };
}
