import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { createRetention } from '../../src/deliveries/retention.ts';
import type { DB } from '../../src/generated/database.ts';
import { createLog } from '../../src/kernel/log.ts';
import { insertDue } from '../../test/support/backlog.ts';
import { startEngine } from '../../test/support/engine.ts';
import type { Outcome, Stage } from './stage.ts';

const DELIVERIES = 20_000;
const ATTEMPTS = 1_000_000;
const DAYS = 40;
const KEPT_DAYS = 30;
const LOOK_AGAIN_MS = 200;
const RETRY_WAITS_MS = Array<number>(9).fill(1_000);
/** Words that only the claim's statement has. */
const CLAIM = 'as asked (id, token, want';

/** 20,000 deliveries by one engine while a transaction that sees the beginning stays open: do claims get slower? */
export async function vacuumHeldBack(
  stage: Stage,
  _: number,
  tell: (line: string) => void,
): Promise<Outcome> {
  const watched = openWatched(stage);
  const old = new pg.Client(stage.postgres.connection);
  await old.connect();
  try {
    await old.query('begin isolation level repeatable read; select count(*) from deliveries');
    tell(`a transaction stays open while ${DELIVERIES} callbacks are delivered`);
    await deliver(stage, watched, DELIVERIES);
    // Under the same load: neither while it starts, nor when little is left.
    const part = (from: number, to: number) =>
      watched.claimsMs.slice(from * watched.claimsMs.length, to * watched.claimsMs.length);
    const [early, late] = [part(0.1, 0.3), part(0.6, 0.8)];
    await old.query('rollback');
    return await stage.settle(`claims late : early, ${compare(late, early)}`);
  } finally {
    await old.end();
    await watched.close();
  }
}

/** A million attempts of forty days, tidied up while callbacks are delivered: do claims get slower? */
export async function retention(stage: Stage, _: number, tell: (line: string) => void): Promise<Outcome> {
  const watched = openWatched(stage);
  const log = createLog('silent');
  const kept = { attemptRetentionDays: KEPT_DAYS, bodyRetentionDays: 7 };
  try {
    await fillAttempts(stage);
    tell(`${ATTEMPTS} attempts of ${DAYS} days are there`);
    await deliver(stage, watched, DELIVERIES / 4);
    const before = watched.claimsMs.splice(0);
    const tidying = createRetention({ db: stage.db, ...kept, log });
    const started = performance.now();
    const tidied = tidying.tidy().then(() => performance.now() - started);
    await deliver(stage, watched, DELIVERIES / 4);
    const tookMs = await tidied;
    const { rows } = await sql<{ count: string }>`
      select count(*) from delivery_attempts where started_at < now() - ${KEPT_DAYS + 1} * interval '1 day'`.execute(
      stage.db,
    );
    const note = `tidied in ${(tookMs / 1_000).toFixed(1)} s, ${rows[0]?.count} too old left`;
    return await stage.settle(`${note}; claims during : before, ${compare(watched.claimsMs, before)}`);
  } finally {
    await watched.close();
  }
}

/** An engine in this process whose claims are timed. */
function openWatched({ postgres, key }: Stage) {
  const claimsMs: number[] = [];
  const pool = new pg.Pool({ ...postgres.connection, max: 10 });
  pool.on('error', () => undefined); // connections on their way out when PostgreSQL stops
  const db = new Kysely<DB>({
    dialect: new PostgresDialect({ pool }),
    log: ({ query, queryDurationMillis }) =>
      void (query.sql.includes(CLAIM) && claimsMs.push(queryDurationMillis)),
  });
  const engine = startEngine(db, key, { retryWaitsMs: RETRY_WAITS_MS });
  return {
    claimsMs,
    carry: engine.carry,
    async close() {
      await engine.close();
      await db.destroy();
    },
  };
}

/** Inserts so many deliveries for the receivers, and sends them all. */
async function deliver(
  stage: Stage,
  { carry }: { carry: (id: string) => Promise<void> },
  total: number,
): Promise<void> {
  const { urls } = stage.receivers;
  const insert = (url: string) => insertDue(stage.db, stage.owner, url, { count: total / urls.length });
  const ids = await Promise.all(urls.map(insert));
  const left = async () => {
    const { rows } = await sql<{ id: string }>`
      select id from endpoints where exists (select from deliveries
        where endpoint_id = endpoints.id and status = 'pending')`.execute(stage.db);
    return rows.map(({ id }) => id);
  };
  for (let open = ids; open.length > 0; open = await left()) {
    await Promise.all(open.map(carry));
    await sleep(LOOK_AGAIN_MS); // what was refused comes again after a few seconds
  }
}

async function fillAttempts({ db }: Stage): Promise<void> {
  for (let day = 0; day < DAYS; day += 1) {
    const { rows } = await sql<{ name: string; begin: string; end: string }>`
      select 'delivery_attempts_' || to_char(day, 'YYYYMMDD') as name, day::text as begin,
        (day + interval '1 day')::text as end
      from (select date_trunc('day', now() at time zone 'UTC') - ${day}::integer * interval '1 day' as day) one`.execute(
      db,
    );
    const { name, begin, end } = rows[0]!;
    await sql`create table if not exists ${sql.id(name)} partition of delivery_attempts
      for values from (${sql.lit(`${begin}+00`)}) to (${sql.lit(`${end}+00`)})`.execute(db);
    await sql`insert into delivery_attempts (delivery_id, attempt, url, started_at, duration_ms, status_code)
      select gen_random_uuid(), 1, 'http://127.0.0.1/callback',
        ${`${begin}+00`}::timestamptz + n * interval '1 millisecond', 12, 200
      from generate_series(1, ${ATTEMPTS / DAYS}::integer) n`.execute(db);
  }
}

function compare(now: number[], then: number[]): string {
  const ratio = (share: number) => (quantile(now, share) / quantile(then, share)).toFixed(2);
  const ms = (share: number) => `${quantile(now, share).toFixed(1)} : ${quantile(then, share).toFixed(1)} ms`;
  return `p50 x${ratio(0.5)} (${ms(0.5)}), p99 x${ratio(0.99)} (${ms(0.99)})`;
}

function quantile(values: number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? Number.NaN;
}
