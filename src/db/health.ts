import { sql } from 'kysely';
import type { Db } from './database.ts';

/** Whether the database answers. */
export function answers(db: Db): Promise<boolean> {
  return sql`select 1`.execute(db).then(
    () => true,
    () => false,
  );
}

/** The server's version: as a number such as 150004, and as text. */
export async function readVersion(db: Db): Promise<{ number: number; text: string }> {
  const { rows } = await sql<{ number: string; text: string }>`
    select current_setting('server_version_num') as number, current_setting('server_version') as text`.execute(
    db,
  );
  return { number: Number(rows[0]?.number), text: rows[0]?.text ?? 'unknown' };
}

/** The time on the database's clock. */
export async function readClock(db: Db): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db);
  return rows[0]?.now ?? new Date(0);
}
