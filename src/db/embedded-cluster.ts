import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { Binaries } from './embedded-binaries.ts';
import { aside, hasCode, moveIntoPlace, type State } from './embedded-state.ts';

/** How to reach the server: fits pg.Pool and BullMQ. `host` is the directory of the Unix socket. */
export type Connection = {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  ssl: false;
};

const OWNER = 'countersign'; // superuser and database in one name

/** Part of the socket's name and nothing more. */
export const PORT = 5432;

/** For our children. Nothing of the caller's: PGPORT, PGOPTIONS, LANG and others would change what PostgreSQL does. */
export const CLEAN_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };

const run = promisify(execFile);
const INITDB_LIMIT_MS = 60_000;
const CONNECT_LIMIT_MS = 10_000;
const QUERY_LIMIT_MS = 30_000; // copying a template takes a while on a slow disk
const LIVENESS_LIMIT_MS = 5_000;
const DUPLICATE_DATABASE = '42P04';

// The same order and case rules on every machine, whatever LANG says.
const LOCALE = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C', '--encoding=UTF8'];

/** How to reach the server whose socket is in this directory. */
export function connectionTo(host: string, { password }: State): Connection {
  // port and ssl are said aloud because pg would otherwise believe PGPORT and PGSSLMODE
  return { host, port: PORT, user: OWNER, password, database: OWNER, ssl: false };
}

/** Makes the database cluster if there is none, and refuses one of another PostgreSQL version. */
export async function ensureCluster(state: State, binaries: Binaries): Promise<void> {
  const cluster = join(state.dir, 'cluster');
  if (!fs.existsSync(cluster)) await createCluster(cluster, state, binaries);
  const major = fs.readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
  if (major !== binaries.major)
    throw new Error(
      `${cluster} was written by PostgreSQL ${major}, and this release bundles PostgreSQL ${binaries.major}.\n` +
        `Go back to the release that wrote it, save the data with pg_dump ${major} or newer (the socket is in ` +
        `${state.dir}, the password in ${state.dir}/password), move ${state.dir} away, start this release and ` +
        `restore; or set DATABASE_URL to a PostgreSQL ${major} of your own.`,
    );
}

/** Makes the database if it is missing. */
export async function ensureDatabase({ database, ...server }: Connection): Promise<void> {
  const found = 'select 1 from pg_database where datname = $1';
  const maintenance = { ...server, database: 'postgres' };
  if ((await query(maintenance, found, [database])).length > 0) return;
  try {
    await query(maintenance, `create database ${pg.escapeIdentifier(database)}`);
  } catch (error) {
    if (!hasCode(error, DUPLICATE_DATABASE)) throw error; // somebody else was faster
  }
}

/** Tells whether the database can be used right now. */
export async function isAnswering(connection: Connection): Promise<boolean> {
  return query(connection, 'select 1', [], LIVENESS_LIMIT_MS).then(
    () => true,
    () => false,
  );
}

async function query(
  connection: Connection,
  text: string,
  values?: unknown[],
  limitMs = QUERY_LIMIT_MS,
): Promise<unknown[]> {
  const limits = { connectionTimeoutMillis: CONNECT_LIMIT_MS, query_timeout: limitMs };
  const client = new pg.Client({ ...connection, ...limits });
  client.on('error', () => {}); // a server that dies meanwhile also rejects the calls below
  try {
    await client.connect();
    return (await client.query<object>(text, values)).rows;
  } finally {
    await client.end();
  }
}

async function createCluster(cluster: string, state: State, { initdb }: Binaries): Promise<void> {
  const draft = aside(`${cluster}.init`);
  const access = [`--username=${OWNER}`, '--auth=scram-sha-256', `--pwfile=${state.dir}/password`];
  const options = { ...state.account, cwd: state.dir, env: CLEAN_ENVIRONMENT, timeout: INITDB_LIMIT_MS };
  try {
    await run(initdb, ['-D', draft, ...access, ...LOCALE, '--no-instructions'], options);
  } catch (error) {
    fs.rmSync(draft, { recursive: true, force: true });
    throw new Error(`The database cluster ${cluster} could not be made.`, { cause: error });
  }
  moveIntoPlace(draft, cluster);
}
