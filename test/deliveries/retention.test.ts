import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { createRetention } from '../../src/deliveries/retention.ts';
import { deleteStrayAttempts, makePartition } from '../../src/deliveries/retention-store.ts';
import type { Log } from '../../src/kernel/log.ts';
import { newId } from '../../src/kernel/id.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { nthAttempt, openSinks, settle } from '../support/deliveries.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const DAY_MS = 24 * 3_600_000;
const BODY_DAYS = 7;
const ATTEMPT_DAYS = 30;

const day = (ago: number) => new Date(Date.now() - ago * DAY_MS).toISOString().slice(0, 10);
const nameOf = (ago: number) => `delivery_attempts_${day(ago).replaceAll('-', '')}`;

/** The retention of a server, and what it complained about. */
function retentionOn({ db }: Pick<TestDatabase, 'db'>) {
  const warnings: string[] = [];
  const log = { info: () => undefined, warn: (_: object, news: string) => warnings.push(news) };
  const settings = { bodyRetentionDays: BODY_DAYS, attemptRetentionDays: ATTEMPT_DAYS };
  return { warnings, ...createRetention({ db, ...settings, log: log as unknown as Log }) };
}

async function partitions({ db }: Pick<TestDatabase, 'db'>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select inhrelid::regclass::text as name from pg_inherits
    where inhparent = 'delivery_attempts'::regclass order by 1`.execute(db);
  return rows.map(({ name }) => name).filter((name) => name !== 'delivery_attempts_other');
}

/** Inserts attempts that began this many days ago, for deliveries that nobody knows. */
async function insertAttempts({ db }: Pick<TestDatabase, 'db'>, ago: number, many = 1): Promise<void> {
  await sql`insert into delivery_attempts (delivery_id, attempt, url, started_at, duration_ms)
    select gen_random_uuid(), 1, 'https://receiver.example/', now() - ${ago}::integer * interval '1 day', 5
    from generate_series(1, ${many}::integer)`.execute(db);
}

async function count({ db }: Pick<TestDatabase, 'db'>, table: string): Promise<number> {
  const { rows } = await sql<{ count: string }>`select count(*) from ${sql.table(table)}`.execute(db);
  return Number(rows[0]?.count);
}

describe('partitions for attempts', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createDatabase();
  });
  afterEach(() => database.close());
  const ahead = Array.from({ length: 8 }, (_, index) => nameOf(-index));

  test('are made for today and a week ahead, and what is older than it may be is dropped whole', async () => {
    for (const ago of [ATTEMPT_DAYS + 60, ATTEMPT_DAYS + 1, ATTEMPT_DAYS, 1])
      await makePartition(database.db, day(ago));
    for (const ago of [ATTEMPT_DAYS + 60, ATTEMPT_DAYS + 1, ATTEMPT_DAYS, 1, 0])
      await insertAttempts(database, ago);
    // Today's attempt came before today's partition.
    expect(await count(database, 'delivery_attempts_other')).toBe(1);
    await sql`delete from delivery_attempts_other`.execute(database.db);

    const retention = retentionOn(database);
    await retention.tidy();
    expect(await partitions(database)).toEqual([nameOf(ATTEMPT_DAYS), nameOf(1), ...ahead]);
    expect(await count(database, 'delivery_attempts')).toBe(2);
    expect(retention.warnings).toEqual([]);
  });

  test('are found made the second time, and nothing changes', async () => {
    await retentionOn(database).prepare();
    await insertAttempts(database, 0);
    const again = retentionOn(database);
    await again.prepare();
    await again.tidy();
    expect(await partitions(database)).toEqual(ahead);
    expect(await count(database, nameOf(0))).toBe(1);
    expect(again.warnings).toEqual([]);
  });

  test('are made once by processes that start at the same time', async () => {
    const all = Array.from({ length: 4 }, () => retentionOn(database));
    await makePartition(database.db, day(ATTEMPT_DAYS + 5));
    await Promise.all(all.map((one) => one.prepare()));
    await Promise.all(all.map((one) => one.tidy()));
    expect(await partitions(database)).toEqual(ahead);
    expect(all.flatMap(({ warnings }) => warnings)).toEqual([]);
  });

  test('a day whose attempts are in the default partition is left there; the other days are made', async () => {
    await insertAttempts(database, -2);
    const retention = retentionOn(database);
    await retention.prepare();
    expect(await partitions(database)).toEqual(ahead.filter((name) => name !== nameOf(-2)));
    expect(await count(database, 'delivery_attempts')).toBe(1);
    expect(retention.warnings).toEqual([]);
  });

  test('attempts of a wrong clock are deleted by age, those of the future with their delivery', async () => {
    await insertAttempts(database, 400, 25);
    await insertAttempts(database, ATTEMPT_DAYS - 1, 1);
    await insertAttempts(database, -400, 2);
    const ended = await insertEvent(database, { ago: 90, deliveries: [{ status: 'delivered', ago: 90 }] });
    const recent = await insertEvent(database, { ago: 90, deliveries: [{ status: 'delivered', ago: 3 }] });
    for (const id of [ended, recent]) {
      await sql`insert into delivery_attempts (delivery_id, attempt, url, started_at, duration_ms)
        select id, 1, url, now() + interval '300 days', 5 from deliveries where event_id = ${id}`.execute(
        database.db,
      );
    }
    expect(await deleteStrayAttempts(database.db, ATTEMPT_DAYS, 10)).toBe(10);
    await retentionOn(database).tidy();
    expect(await count(database, 'delivery_attempts')).toBe(1 + 2 + 1);
    expect(await deleteStrayAttempts(database.db, ATTEMPT_DAYS, 10)).toBe(0);
  });

  test('whoever reads attempts for long is left alone, and the work is done in a later hour', async () => {
    await makePartition(database.db, day(ATTEMPT_DAYS + 1));
    const retention = retentionOn(database);
    const reader = await database.db.startTransaction().execute();
    await reader.selectFrom('delivery_attempts').selectAll().execute();
    await retention.prepare();
    expect(retention.warnings).toEqual([expect.stringContaining('could not be made')]);
    await retention.tidy();
    expect(await partitions(database)).toContain(nameOf(ATTEMPT_DAYS + 1));
    // Attempts are written all the same.
    await insertAttempts(database, 0);
    await reader.selectFrom('delivery_attempts').selectAll().execute();
    await reader.commit().execute();

    await sql`delete from delivery_attempts_other`.execute(database.db);
    await retention.tidy();
    expect(await partitions(database)).toEqual(ahead);
  });
});

type Fate = { status: 'pending' | 'delivered' | 'dead' | 'canceled'; ago: number };

/** Inserts an event of so many days ago, and deliveries that ended (or came due) so many days ago. Returns its id. */
async function insertEvent(
  { db }: Pick<TestDatabase, 'db'>,
  { ago, deliveries }: { ago: number; deliveries: Fate[] },
): Promise<string> {
  const at = (days: number) => new Date(Date.now() - days * DAY_MS);
  const [tenant_id, endpoint_id, id] = [newId(), newId(), newId()];
  await sql`insert into tenants (id, name) values (${tenant_id}, 'T')`.execute(db);
  await sql`insert into integrations (id, tenant_id, name, mode) values (${tenant_id}, ${tenant_id}, 'I', 'test')`.execute(
    db,
  );
  await sql`insert into endpoints (id, tenant_id, integration_id, mode, origin, created_at)
    values (${endpoint_id}, ${tenant_id}, ${tenant_id}, 'test', 'https://receiver.example', now())`.execute(
    db,
  );
  await db
    .insertInto('events')
    .values({ id, tenant_id, mode: 'test', type: 'test', body: '{}', occurred_at: at(ago) })
    .execute();
  for (const { status, ago: ended } of deliveries) {
    await db
      .insertInto('deliveries')
      .values({
        ...{ id: newId(), event_id: id, endpoint_id, tenant_id, integration_id: tenant_id, status },
        ...{ url: 'https://receiver.example/', next_attempt_at: at(ended), created_at: at(ago) },
        completed_at: status === 'pending' ? null : at(ended),
      })
      .execute();
  }
  return id;
}

describe('bodies of events', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.close());
  const bodyOf = async (id: string) =>
    (await database.db.selectFrom('events').select('body').where('id', '=', id).executeTakeFirstOrThrow())
      .body;

  test.each<[string, 'deleted' | 'kept', number, Fate[]]>([
    ['an event without deliveries, old enough', 'deleted', 8, []],
    ['an event without deliveries, young', 'kept', 6, []],
    [
      'all ended long ago',
      'deleted',
      90,
      [
        { status: 'delivered', ago: 8 },
        { status: 'dead', ago: 80 },
      ],
    ],
    ['canceled long ago', 'deleted', 90, [{ status: 'canceled', ago: 8 }]],
    [
      'the last one ended not long ago',
      'kept',
      90,
      [
        { status: 'delivered', ago: 80 },
        { status: 'dead', ago: 6 },
      ],
    ],
    [
      'one is pending',
      'kept',
      90,
      [
        { status: 'delivered', ago: 80 },
        { status: 'pending', ago: 80 },
      ],
    ],
  ])('%s: %s', async (_, fate, ago, deliveries) => {
    const id = await insertEvent(database, { ago, deliveries });
    await retentionOn(database).tidy();
    expect(await bodyOf(id)).toBe(fate === 'kept' ? '{}' : null);
  });

  test('thousands that are over are found behind thousands that are not, however many share a time', async () => {
    const [waiting, over] = [
      await insertEvent(database, { ago: 60, deliveries: [{ status: 'pending', ago: 60 }] }),
      await insertEvent(database, { ago: 50, deliveries: [{ status: 'dead', ago: 50 }] }),
    ];
    for (const [id, share] of [
      [waiting, 2_500],
      [over, 2_500],
    ] as const) {
      await sql`
        with copied as (
          insert into events (id, tenant_id, mode, type, body, occurred_at)
          select gen_random_uuid(), tenant_id, mode, type, body, occurred_at
          from events, generate_series(1, ${share}::integer) where id = ${id}
          returning id
        )
        insert into deliveries (id, event_id, endpoint_id, tenant_id, integration_id, url, status, next_attempt_at,
          created_at, completed_at)
        select gen_random_uuid(), copied.id, endpoint_id, tenant_id, integration_id, url, status, next_attempt_at,
          created_at, completed_at
        from deliveries, copied where event_id = ${id}`.execute(database.db);
    }
    await retentionOn(database).tidy();
    const { rows } = await sql<{ status: string; kept: string; deleted: string }>`
      select status, count(body) as kept, count(*) filter (where body is null) as deleted
      from events join deliveries on event_id = events.id
      where occurred_at in (select occurred_at from events where id in (${waiting}, ${over}))
      group by status order by status`.execute(database.db);
    expect(rows).toEqual(
      [
        { status: 'pending', kept: '2501', deleted: '0' },
        { status: 'dead', kept: '0', deleted: '2501' },
      ].sort((a, b) => a.status.localeCompare(b.status)),
    );
  });

  test('it ends after its current step when the server stops', async () => {
    const retention = retentionOn(database);
    const id = await insertEvent(database, { ago: 90, deliveries: [] });
    retention.stop();
    await retention.tidy();
    expect(await bodyOf(id)).toBe('{}');
    await retentionOn(database).tidy();
    expect(await bodyOf(id)).toBeNull();
  });

  test('that a URL answered 410 is forgotten with the attempts of that time', async () => {
    await insertEvent(database, { ago: 1, deliveries: [] });
    for (const ago of [ATTEMPT_DAYS + 1, ATTEMPT_DAYS - 1]) {
      await sql`insert into gone_urls (endpoint_id, url, gone_at)
        select id, ${`https://receiver.example/${ago}`}, now() - ${ago}::integer * interval '1 day'
        from endpoints limit 1`.execute(database.db);
    }
    await retentionOn(database).tidy();
    const gone = await database.db.selectFrom('gone_urls').select('url').execute();
    expect(gone).toEqual([{ url: `https://receiver.example/${ATTEMPT_DAYS - 1}` }]);
  });
});

describe('beside deliveries', () => {
  const sinks = openSinks();
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(async () => {
    await server.close();
    await sinks.close();
  });

  test('a server’s attempts are in the partition of their day', async () => {
    const sink = await sinks.open();
    const { attempt } = await nthAttempt(server.db, await settle(server, { callback_url: sink.url }), 1);
    const table = `delivery_attempts_${attempt.started_at.toISOString().slice(0, 10).replaceAll('-', '')}`;
    expect(await count(server, table)).toBeGreaterThan(0);
    expect(await count(server, 'delivery_attempts_other')).toBe(0);
    expect(await partitions(server)).toHaveLength(8);
  });

  test('deliveries go on while 200,000 old attempts are dropped and somebody reads for long', async () => {
    const days = Array.from({ length: 20 }, (_, index) => ATTEMPT_DAYS + 1 + index);
    for (const ago of days) {
      await makePartition(server.db, day(ago));
      await insertAttempts(server, ago, 10_000);
    }
    const sink = await sinks.open();
    const [retention, later] = [retentionOn(server), retentionOn(server)];
    const reader = await server.db.startTransaction().execute();
    await sql`select 1 from ${sql.table(nameOf(days.at(-1)!))} limit 1`.execute(reader);

    const ids: string[] = [];
    const settleUntil = async (end: Promise<void>) => {
      const ended = { already: false };
      void end.finally(() => (ended.already = true));
      while (!ended.already) ids.push(await settle(server, { callback_url: sink.url }));
      await end;
    };
    await settleUntil(retention.tidy());
    expect(retention.warnings).toEqual([expect.stringContaining('could not be dropped')]);
    expect(await partitions(server)).toHaveLength(days.length + 8);
    await reader.commit().execute();
    await settleUntil(later.tidy());
    expect(later.warnings).toEqual([]);
    expect(await partitions(server)).toHaveLength(8);

    for (const id of ids) {
      const { delivery } = await nthAttempt(server.db, id, 1);
      expect([delivery.status, delivery.attempts]).toEqual(['delivered', 1]);
    }
    expect(await count(server, 'delivery_attempts')).toBe(ids.length + 1);
  });
});
