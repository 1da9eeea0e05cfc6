import { sql } from 'kysely';
import type { Db } from '../../src/db/database.ts';

/** Every row of every table of ours as text, by table: to look for what must not be there, and to see that nothing changed. */
export async function readAllRows(db: Db): Promise<{ [table: string]: string[] }> {
  const { rows: tables } = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public' order by tablename`.execute(db);
  const entries = await Promise.all(
    tables.map(async ({ name }) => {
      const { rows } = await sql<{ row: string }>`
        select to_jsonb(t)::text as row from ${sql.table(name)} t`.execute(db);
      return [name, rows.map(({ row }) => row).sort()] as const;
    }),
  );
  return Object.fromEntries(entries);
}

/** How many rows a table has. */
export async function countRows(
  db: Db,
  table: 'challenges' | 'events' | 'audit_entries' | 'idempotency_keys',
) {
  const { count } = await db
    .selectFrom(table)
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Lets the deadline of a challenge lie in the past, with everything else in proportion. */
export async function makeOverdue(db: Db, id: string, minutes = 1): Promise<void> {
  await sql`update challenges
    set created_at = created_at - (expires_at - now()) - make_interval(mins => ${minutes}),
        expires_at = date_trunc('second', now()) - make_interval(mins => ${minutes})
    where id = ${id}`.execute(db);
}

/** Lets this much time pass for one challenge: all its times move back together. */
export async function letPass(db: Db, id: string, minutes: number): Promise<void> {
  const times = ['created_at', 'started_at', 'completed_at', 'expires_at', 'valid_until', 'consumed_at'];
  const moved = times.map(
    (time) => sql`${sql.ref(time)} = ${sql.ref(time)} - make_interval(mins => ${minutes})`,
  );
  await sql`update challenges set ${sql.join(moved)} where id = ${id}`.execute(db);
}
