import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { randomBytes } from 'node:crypto';
import { readConfig } from '../../src/config.ts';
import { createSealer } from '../../src/kernel/crypto.ts';
import { createLog } from '../../src/kernel/log.ts';
import { createInboxRetention } from '../../src/providers/retention.ts';
import { deleteOldBodies, deleteOldRefusals } from '../../src/providers/retention-store.ts';
import { saveAccount } from '../../src/providers/store.ts';
import { serve } from '../../src/serve.ts';
import { insertTenant } from '../../src/tenants/store.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { insertInbound, insertRefusal } from '../support/inbound.ts';
import { until } from '../support/until.ts';
import { startVeriffStory } from '../support/veriff-story.ts';

const BODY_DAYS = 7;
const REFUSAL_DAYS = 30;
const DAY_MS = 24 * 3_600_000;

let database: TestDatabase;
let account: string;
beforeEach(async () => {
  database = await createDatabase();
  account = await newAccount(database);
});
afterEach(() => database.close());

async function newAccount({ db }: TestDatabase): Promise<string> {
  const place = { tenant_id: await insertTenant(db, 'Default'), provider: 'veriff', mode: 'test' } as const;
  return saveAccount(db, place, () => createSealer([randomBytes(32)]).seal('{}', 'nowhere'));
}

const ago = (days: number) => new Date(Date.now() - days * DAY_MS);
const retention = () =>
  createInboxRetention({
    ...{ db: database.db, webhookRetentionDays: BODY_DAYS, attemptRetentionDays: REFUSAL_DAYS },
    log: createLog('silent'),
  });
const came = (days: number, fields: Parameters<typeof insertInbound>[2] = {}) =>
  insertInbound(database.db, account, { received_at: ago(days), ...fields });
const parked = { handled_at: null, outcome: null, tries: 3, next_try_at: new Date() };

/** The lines that are left, oldest first, and whether their bodies are. */
async function left({ db }: Pick<TestDatabase, 'db'> = database): Promise<[id: string, kept: boolean][]> {
  const rows = await db.selectFrom('inbox').select(['id', 'body_sealed']).orderBy('id').execute();
  return rows.map(({ id, body_sealed }) => [id, body_sealed !== null]);
}

test('bodies of handled webhooks go when their time is over, their lines stay, and refusals go later', async () => {
  const old = await came(BODY_DAYS + 0.1);
  const older = await came(400, { outcome: 'applied' });
  const recent = await came(BODY_DAYS - 0.1);
  await insertRefusal(database.db, account, { received_at: ago(REFUSAL_DAYS + 0.1) });
  const refused = await insertRefusal(database.db, account, { received_at: ago(REFUSAL_DAYS - 0.1) });
  await retention().tidy();
  const expected = [
    [old, false],
    [older, false],
    [recent, true],
    [refused, false],
  ];
  expect(await left()).toEqual(expected);
  await retention().tidy();
  expect(await left()).toEqual(expected);
});

test('what is not handled yet keeps its body, however old it is, and loses it once it is handled', async () => {
  const waiting = await came(400, parked);
  const handled = await came(400);
  await retention().tidy();
  expect(await left()).toEqual([
    [waiting, true],
    [handled, false],
  ]);
  await database.db
    .updateTable('inbox')
    .set({ handled_at: new Date(), outcome: 'unknown_session', next_try_at: null })
    .where('id', '=', waiting)
    .execute();
  await retention().tidy();
  expect(await left()).toEqual([
    [waiting, false],
    [handled, false],
  ]);
});

test('one that somebody is handling is not waited for: the rest goes, and it goes the next time', async () => {
  const held = await came(10);
  await came(9);
  await database.db.transaction().execute(async (tx) => {
    await tx.selectFrom('inbox').selectAll().where('id', '=', held).forUpdate().execute();
    await retention().tidy();
    expect((await left()).map(([, kept]) => kept)).toEqual([true, false]);
  });
  await retention().tidy();
  expect((await left()).map(([, kept]) => kept)).toEqual([false, false]);
});

test('many go in batches, past those that wait, and no more than is due', async () => {
  const { db } = database;
  const many = 2_500;
  const fill = (days: number, count: number, what: string) =>
    sql`insert into inbox (id, provider_account_id, event_key, kind, received_at, last_received_at,
        body_sealed, handled_at, outcome, reason, next_try_at)
      select gen_random_uuid(), ${account}, ${what} || n, 'event', now() - ${days}::integer * interval '1 day', now(),
        case when ${what} = 'refused' then null else 'sealed' end,
        case when ${what} = 'waiting' then null else now() end,
        case ${what} when 'waiting' then null when 'refused' then 'refused' else 'stale' end,
        case when ${what} = 'refused' then 'address' end, now()
      from generate_series(1, ${count}::integer) as n`.execute(db);
  const count = async (what: string) => {
    const { rows } = await sql<{ lines: number; bodies: number }>`
      select count(*)::integer as lines, count(body_sealed)::integer as bodies
      from inbox where event_key like ${`${what}%`}`.execute(db);
    return rows[0];
  };
  await fill(40, many, 'waiting');
  await fill(40, many, 'old');
  await fill(40, many, 'refused');
  await fill(1, many, 'new');
  await fill(1, 10, 'refused-new');

  const first = await deleteOldBodies(db, BODY_DAYS, 1_000, undefined);
  expect(first.deleted).toBe(1_000);
  expect(await deleteOldBodies(db, BODY_DAYS, 1_000, new Date())).toMatchObject({ deleted: 0 });
  expect(await deleteOldRefusals(db, REFUSAL_DAYS, 1_000)).toBe(1_000);
  await retention().tidy();
  expect(await count('old')).toEqual({ lines: many, bodies: 0 });
  expect(await count('waiting')).toEqual({ lines: many, bodies: many });
  expect(await count('new')).toEqual({ lines: many, bodies: many });
  expect(await count('refused')).toEqual({ lines: 10, bodies: 10 });
});

test('a tidying that is stopped ends after its step', async () => {
  for (let i = 0; i < 3; i += 1) await came(10);
  await insertRefusal(database.db, account, { received_at: ago(REFUSAL_DAYS + 1) });
  const one = retention();
  one.stop();
  await one.tidy();
  expect(await left()).toHaveLength(4);
});

test('a running server tidies by its settings, and a webhook whose body is gone is still known when it comes again', async () => {
  const story = await startVeriffStory();
  try {
    const { server, veriff } = story;
    const { id, session } = await story.begin();
    await veriff.decide(session, 'approved');
    await story.reaches(id, 'verified');
    expect(await story.outcomes(session)).toEqual(['applied']);
    await server.db
      .updateTable('inbox')
      .set({ received_at: ago(2.5) })
      .execute();
    const parkedAt = await insertInbound(server.db, story.accountId, {
      ...{ ...parked, received_at: ago(2.5), next_try_at: ago(-1) },
    });
    const other = await serve(readConfig({ ...server.settings, WEBHOOK_RETENTION_DAYS: '2' }), 'worker');
    try {
      await until(
        async () => (await left(server)).filter(([, kept]) => !kept).length === 1,
        'the body to go',
      );
    } finally {
      await other.close();
    }
    expect(await left(server)).toContainEqual([parkedAt, true]);
    const { verification } = session;
    expect(await veriff.send({ status: 'success', verification })).toEqual([200]);
    const rows = await server.db.selectFrom('inbox').select(['copies', 'outcome']).orderBy('id').execute();
    expect(rows[0]).toEqual({ copies: 2, outcome: 'applied' });
    expect(await story.announced(id)).toBe(1);
  } finally {
    await story.close();
  }
});
