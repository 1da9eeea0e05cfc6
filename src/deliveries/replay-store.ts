import { sql } from 'kysely';
import type { Db } from '../db/database.ts';
import { matches } from './desk-store.ts';
import type { Filter, Viewer } from './desk-store.ts';
import { TEST_EVENT } from './event-types.ts';

const VERDICTS = ['replayable', 'without_body', 'on_disabled_endpoint', 'already_resent'] as const;

/** What a filter finds, each in one group, and the oldest that can be sent again. */
export type Assessment = { counts: Record<(typeof VERDICTS)[number], number>; ids: string[] };

/** Lets one replay of a tenant run at a time, until the transaction ends: the next sees what this one has sent again. */
export async function lockReplays(tx: Db, tenantId: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('replay ' || ${tenantId}::text, 0))`.execute(tx);
}

/**
 * Judges what the filter finds. An event that has been sent again to the endpoint, and not in vain so far, is
 * `already_resent`; of several deliveries of one event to one endpoint, all but the newest are too. Tests are left out.
 */
export async function assess(db: Db, viewer: Viewer, filter: Filter, limit: number): Promise<Assessment> {
  const { rows } = await sql<{ verdict: (typeof VERDICTS)[number]; count: string; ids: string[] }>`
    with judged as (
      select d.id, case
        when row_number() over (partition by d.event_id, d.endpoint_id order by d.id desc) > 1 or exists (
          select from deliveries later
          where later.event_id = d.event_id and later.endpoint_id = d.endpoint_id and later.id > d.id
            and later.trigger = 'resend' and later.status in ('pending', 'delivered')
        ) then 'already_resent'
        when e.body is null then 'without_body'
        when endpoints.disabled_at is not null or exists (
          select from gone_urls where gone_urls.endpoint_id = d.endpoint_id and gone_urls.url = d.url
        ) then 'on_disabled_endpoint'
        else 'replayable' end as verdict
      from deliveries d
      join events e on e.id = d.event_id
      join endpoints on endpoints.id = d.endpoint_id
      where ${matches(viewer, filter)} and e.type <> ${TEST_EVENT}
    )
    select verdict, count(*), (array_agg(id order by id) filter (where verdict = 'replayable'))[1:${limit}::integer] as ids
    from judged group by verdict`.execute(db);
  const found = new Map(rows.map((row) => [row.verdict, row]));
  const countOf = (verdict: (typeof VERDICTS)[number]) => Number(found.get(verdict)?.count ?? 0);
  return {
    counts: {
      replayable: countOf('replayable'),
      without_body: countOf('without_body'),
      on_disabled_endpoint: countOf('on_disabled_endpoint'),
      already_resent: countOf('already_resent'),
    },
    ids: found.get('replayable')?.ids ?? [],
  };
}

/** Makes a new delivery for each of these, one after another at the rate. Returns their endpoints. */
export async function insertResends(
  db: Db,
  pairs: readonly { original: string; id: string }[],
  ratePerSecond: number,
  at: Date,
): Promise<string[]> {
  // By the clock and not the transaction's beginning, which may have waited for another replay.
  const { rows } = await sql<{ endpoint_id: string }>`
    with made as (
      insert into deliveries (id, event_id, endpoint_id, tenant_id, integration_id, url, trigger, lane,
        next_attempt_at, created_at)
      select pair.id, d.event_id, d.endpoint_id, d.tenant_id, d.integration_id, d.url, 'resend', 1,
        clock.time + (turn - 1) * interval '1 second' / ${ratePerSecond}::integer, ${at}
      from unnest(${pairs.map(({ original }) => original)}::uuid[], ${pairs.map(({ id }) => id)}::uuid[])
        with ordinality as pair (original, id, turn)
      join deliveries d on d.id = pair.original
      cross join (select clock_timestamp() as time) clock
      returning endpoint_id
    )
    select distinct endpoint_id from made`.execute(db);
  return rows.map(({ endpoint_id }) => endpoint_id);
}
