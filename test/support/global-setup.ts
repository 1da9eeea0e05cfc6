import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbedded } from '../../src/db/embedded.ts';
import type { EmbeddedPostgres } from '../../src/db/embedded.ts';
import { migrate } from '../../src/db/migrate.ts';
import { requireTools } from './tools.ts';

export type TestCluster = { postgres: EmbeddedPostgres; folder: string };
export const TEMPLATE = 'template_countersign';

/** Once for all test files: the tools, what processes run, one PostgreSQL, and a migrated template to clone. */
export default async function setUp(): Promise<void> {
  requireTools();
  build();
  const folder = mkdtempSync(join(tmpdir(), 'countersign-test-'));
  const postgres = await startEmbedded(folder);
  const client = new pg.Client(postgres.connection);
  await client.connect();
  await client.query(`create database ${TEMPLATE}`);
  await client.end();
  await migrate({ ...postgres.connection, database: TEMPLATE });
  (globalThis as { testCluster?: TestCluster }).testCluster = { postgres, folder };
  process.env.TEST_CLUSTER = JSON.stringify(postgres.connection);
}

/** Commands and servers in processes of their own run what `npm start` runs; compiling it for each of them would take longer. */
function build(): void {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  if (status !== 0) throw new Error('the build failed');
}
