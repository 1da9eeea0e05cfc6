import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import type { DB } from '../../src/generated/database.ts';
import { until } from './until.ts';

/** Runs these commands on one integration at the same moment: its row is held until all of them wait for it. */
export function atOnce<T>(
  db: Kysely<DB>,
  integrationId: string,
  commands: readonly (() => Promise<T>)[],
): Promise<T[]> {
  let running: Promise<T>[] = [];
  const waiting = async () => {
    const { rows } = await sql<{ count: string }>`select count(*) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(db);
    return Number(rows[0]?.count) === commands.length;
  };
  return db
    .transaction()
    .execute(async (tx) => {
      await tx.selectFrom('integrations').select('id').where('id', '=', integrationId).forUpdate().execute();
      running = commands.map((command) => command());
      await until(waiting, `${commands.length} commands that wait`, 30_000);
    })
    .then(() => Promise.all(running));
}
