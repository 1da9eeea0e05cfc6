import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import type { DB } from '../../src/generated/database.ts';
import { veriff } from '../../src/providers/veriff.ts';
import type { Plan } from './plan.ts';
import { count } from './print.ts';

type Db = Kysely<DB>;

const POLL_MS = 50;
/** Longer than the sweep needs to find what no job carries. */
const STUCK_MS = 40_000;
const COUNTED_MS = 5_000;

/** Waits until every webhook is handled but those that wait for a session nobody knows; false once nothing moves any more. */
export async function untilHandled(db: Db): Promise<boolean> {
  let [least, since] = [Number.POSITIVE_INFINITY, performance.now()];
  for (; performance.now() < since + STUCK_MS; await sleep(POLL_MS)) {
    const { rows } = await sql<{ open: number }>`
      select count(*)::integer as open from inbox
      where handled_at is null and (tries = 0 or exists (
        select from verification_sessions sessions
        where sessions.provider_account_id = inbox.provider_account_id
          and sessions.provider_session_id = inbox.provider_session_id
      ))`.execute(db);
    const open = rows[0]?.open ?? 0;
    if (open === 0) return true;
    if (open < least) [least, since] = [open, performance.now()];
  }
  return false;
}

/** How many milliseconds each webhook of the plan lay in the inbox. */
export async function handledWithin(db: Db, { sessions }: Plan): Promise<number[]> {
  const { rows } = await sql<{ ms: number }>`
    select extract(epoch from handled_at - received_at)::float8 * 1000 as ms from inbox
    where handled_at is not null
      and provider_session_id = any(${sessions.map(({ sessionId }) => sessionId)}::text[])`.execute(db);
  return rows.map(({ ms }) => ms);
}

/** The process id of PostgreSQL. */
export async function postmasterOf(db: Db): Promise<number> {
  const { rows } = await sql<{ pid: number }>`
    select split_part(pg_read_file('postmaster.pid'), E'\n', 1)::integer as pid`.execute(db);
  return rows[0]?.pid ?? 0;
}

/** Looks for what was acknowledged and is not in the inbox, and at what became of each decided challenge. */
export async function verdictOn(db: Db, accountId: string, plan: Plan, statuses: readonly number[]) {
  let kept = await checkKept(db, accountId, plan, statuses);
  // Copies are counted after they were acknowledged.
  for (
    const end = performance.now() + COUNTED_MS;
    kept.lost > 0 && performance.now() < end;
    await sleep(POLL_MS)
  )
    kept = await checkKept(db, accountId, plan, statuses);
  const ended = await checkEnded(db, plan);
  return { lines: [...kept.lines, ...ended.lines], wrong: [...kept.wrong, ...ended.wrong] };
}

async function checkKept(db: Db, accountId: string, { webhooks }: Plan, statuses: readonly number[]) {
  const rows = await db
    .selectFrom('inbox')
    .select(['event_key', 'copies'])
    .where('provider_account_id', '=', accountId)
    .where('reason', 'is', null)
    .execute();
  const copies = new Map(rows.map(({ event_key, copies: number }) => [event_key, number]));
  const [acknowledged, sent] = [new Map<string, number>(), new Map<string, number>()];
  for (const [n, { body }] of webhooks.entries()) {
    const { eventKey } = veriff.readWebhook(body);
    sent.set(eventKey, (sent.get(eventKey) ?? 0) + 1);
    if (statuses[n] === 200) acknowledged.set(eventKey, (acknowledged.get(eventKey) ?? 0) + 1);
  }
  const keys = [...sent.keys()];
  const sum = (of: (key: string) => number) => keys.reduce((total, key) => total + of(key), 0);
  const lost = sum((key) => Math.max(0, (acknowledged.get(key) ?? 0) - (copies.get(key) ?? 0)));
  const uncalled = sum((key) => Math.max(0, (copies.get(key) ?? 0) - (sent.get(key) ?? 0)));
  const rowsKept = keys.filter((key) => copies.has(key)).length;
  const there = sum((key) => copies.get(key) ?? 0);
  const yes = statuses.filter((status) => status === 200).length;
  const others = statuses.length - yes;
  const failed = statuses.filter((status) => status === 0 || status >= 500).length;
  return {
    lost,
    lines: [
      `  ${count(statuses.length)} sent, ${count(yes)} acknowledged, ${count(there)} in the inbox (${count(rowsKept)} kept, ${count(there - rowsKept)} copies counted), ${count(lost)} lost`,
      ...(others > 0
        ? [`  ${count(others)} were answered otherwise, ${count(failed)} of them not at all or by 5xx`]
        : []),
    ],
    wrong: [
      ...(lost > 0 ? [`${count(lost)} webhooks that were acknowledged and are not in the inbox`] : []),
      ...(uncalled > 0 ? [`${count(uncalled)} copies counted that nobody sent`] : []),
      ...(others > 0 ? [`${count(others)} webhooks that were not acknowledged`] : []),
    ],
  };
}

async function checkEnded(db: Db, { sessions, decided }: Plan) {
  const ids = sessions.map(({ challengeId }) => challengeId);
  const rows = await db
    .selectFrom('challenges')
    .select(['id', 'status', (eb) => announced(eb.ref('challenges.id')).as('events')])
    .where('id', 'in', ids)
    .execute();
  const expected = { approved: 'verified', declined: 'failed' } as const;
  const isRight = ({ id, status, events }: (typeof rows)[number]) => {
    const conclusion = decided.get(id);
    return conclusion
      ? status === expected[conclusion] && events === 1
      : status === 'in-progress' && events === 0;
  };
  const right = rows.filter((row) => decided.has(row.id) && isRight(row)).length;
  const wrong = rows.filter((row) => !isRight(row)).length;
  return {
    lines: [
      `  ${count(decided.size)} of ${count(rows.length)} challenges were decided: ${count(right)} of them are as Veriff decided, with exactly one event`,
    ],
    wrong:
      wrong > 0 ? [`${count(wrong)} challenges that are not as Veriff decided, with exactly one event`] : [],
  };
}

function announced(id: ReturnType<typeof sql.ref> | object) {
  return sql<number>`(select count(*)::integer from events where challenge_id = ${id})`;
}
