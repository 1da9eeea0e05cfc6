import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import type { DB } from '../../../src/generated/database.ts';
import type { Admitted, Gun } from './fire.ts';
import type { Target } from './targets.ts';

type Db = Kysely<DB>;

const POLL_MS = 100;

/** Everything there is about the untouchable, to be compared with itself later. */
export async function pictureOf(db: Db, targets: readonly Target[]): Promise<string> {
  const ids = targets.flatMap(({ untouchable }) => untouchable.map(({ challengeId }) => challengeId));
  const tables = [
    ['challenges', 'id'],
    ['verification_sessions', 'challenge_id'],
    ['audit_entries', 'challenge_id'],
    ['events', 'challenge_id'],
  ] as const;
  const rows = await Promise.all(
    tables.map(([table, column]) =>
      sql<{ row: string }>`select to_jsonb(t)::text as row from ${sql.table(table)} t
        where ${sql.ref(column)} = any(${ids}::uuid[]) order by id`.execute(db),
    ),
  );
  return JSON.stringify(rows.map(({ rows: some }) => some));
}

/** How many webhooks were kept about the untouchable: none may be. */
export async function countKept(db: Db, targets: readonly Target[]): Promise<number> {
  const sessions = targets.flatMap(({ untouchable }) => untouchable.map(({ sessionId }) => sessionId));
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from inbox where provider_session_id = any(${sessions}::text[])`.execute(
    db,
  );
  return rows[0]?.count ?? 0;
}

/** The challenges that were fired at: how many have ended, and those that no valid decision has ended. */
export async function findEnded(db: Db, targets: readonly Target[], admitted: readonly Admitted[]) {
  const all = targets.flatMap((target) => target.open.map((ids) => ({ target, ids })));
  const rows = await db
    .selectFrom('challenges')
    .select([
      'id',
      'status',
      sql<number>`(select count(*)::integer from events where challenge_id = challenges.id)`.as('events'),
    ])
    .where(
      'id',
      'in',
      all.map(({ ids }) => ids.challengeId),
    )
    .where('status', '<>', 'in-progress')
    .execute();
  const about = new Map(all.map((one) => [one.ids.challengeId, one]));
  const wrong = rows.filter(({ id, status, events }) => {
    const { target, ids } = about.get(id)!;
    return (
      events !== 1 ||
      !admitted.some((one) => one.target === target && isAbout(one, ids) && one.claim.to === status)
    );
  });
  return {
    challenges: all.length,
    ended: rows.length,
    wrong: wrong.map(({ id, status }) => `${id} is ${status}`),
  };
}

/** Sends each vendor's own, unchanged decision about one of the untouchable: it must end that challenge. */
export async function stillDecides(
  db: Db,
  targets: readonly Target[],
  gun: Gun,
  limitMs: number,
): Promise<string[]> {
  const decided = targets.map(({ untouchable }) => untouchable[0]!.challengeId);
  for (const target of targets) {
    const [ids] = target.untouchable;
    target.approve(ids!);
    const [sample] = target.vendor.samples(ids!);
    await gun.send(target, target.vendor.seal(Buffer.from(sample!.text), sample!));
  }
  for (const end = performance.now() + limitMs; ; await sleep(POLL_MS)) {
    const rows = await db
      .selectFrom('challenges')
      .select('provider')
      .where('id', 'in', decided)
      .where('status', '<>', 'verified')
      .execute();
    if (rows.length === 0) return [];
    if (performance.now() > end) return rows.map(({ provider }) => provider ?? '');
  }
}

/** By its session, or, as later webhooks may, by an attempt that was mentioned in it. */
function isAbout(
  { claim, attempts, sessions }: Admitted,
  { challengeId, sessionId }: Target['open'][number],
): boolean {
  const named = claim.session === undefined ? false : claim.session.toLowerCase() === sessionId;
  const tried =
    claim.attempt !== undefined && attempts.includes(claim.attempt) && sessions.includes(sessionId);
  return (named || tried) && (claim.echo === undefined || claim.echo === challengeId);
}
