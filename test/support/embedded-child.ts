// A separate process using the bundled PostgreSQL: `embedded-child.ts <dataDir>`. Prints one line of JSON once it has
// queried the database, then stays: until "stop" arrives on its standard input, or until somebody kills it.
import { once } from 'node:events';
import pg from 'pg';
import { startEmbedded } from '../../src/db/embedded.ts';

const postgres = await startEmbedded(process.argv[2] ?? '');
const client = new pg.Client(postgres.connection);
await client.connect();
const { rows } = await client.query<{ name: string }>('select current_database() as name');
await client.end();
const { stateDir, adopted } = postgres;
console.log(JSON.stringify({ database: rows[0]?.name, stateDir, adopted }));
await once(process.stdin, 'data');
await postgres.stop();
process.exit();
