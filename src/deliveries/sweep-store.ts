import { sql } from 'kysely';
import type { Db } from '../db/database.ts';

/** An endpoint with something due; `late` when later retries are all there is. */
export type Busy = { endpoint_id: string; late: boolean };

const BATCH = 1_000;

/** Endpoints that have due deliveries and that nobody sends to, although somebody could. */
export async function findBusy(db: Db): Promise<Busy[]> {
  const { rows } = await sql<Busy>`
    ${waitingEndpoints()}
    select endpoints.id as endpoint_id, not (${due(0)} or ${due(1)}) as late
    from waiting join endpoints on endpoints.id = waiting.id
    where disabled_at is null
      and (lease_token is null or lease_until <= now())
      and (open_until is null or open_until <= now())
      and (paused_until is null or paused_until <= now())
      and (${due(0)} or ${due(1)} or ${due(2)})`.execute(db);
  return rows;
}

/** Ends what waits for disabled endpoints once nothing is under way there: visibly dead, and replayable. Returns how many. */
export async function buryDisabled(db: Db): Promise<number> {
  const { numAffectedRows } = await sql`
    ${waitingEndpoints()},
    doomed as (
      select deliveries.id from waiting
      join endpoints on endpoints.id = waiting.id and disabled_at is not null
        and (lease_token is null or lease_until <= now()) -- else a request may be under way
        and (endpoints.lease_token is null or endpoints.lease_until <= now())
      join deliveries on deliveries.endpoint_id = waiting.id and deliveries.status = 'pending'
      limit ${BATCH}
    )
    update deliveries set status = 'dead', dead_reason = 'endpoint_disabled', completed_at = now()
    from doomed where deliveries.id = doomed.id and status = 'pending'`.execute(db);
  return Number(numAffectedRows ?? 0);
}

/** The endpoints that have deliveries waiting, by a jump from one to the next in the index, however long each queue is. */
export function waitingEndpoints() {
  return sql`with recursive waiting (id) as (
    (select endpoint_id from deliveries where status = 'pending' order by endpoint_id limit 1)
    union all
    select (select endpoint_id from deliveries where status = 'pending' and endpoint_id > waiting.id
      order by endpoint_id limit 1)
    from waiting where waiting.id is not null
  )`;
}

function due(lane: number) {
  return sql`exists (select 1 from deliveries where endpoint_id = endpoints.id and status = 'pending'
    and lane = ${lane} and next_attempt_at <= now())`;
}
