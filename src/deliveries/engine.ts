import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { DB } from '../generated/database.ts';
import { batched } from '../kernel/batch.ts';
import { createTurns } from '../kernel/turns.ts';
import type { Log } from '../kernel/log.ts';
import { rateLimited } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { spanOf } from '../kernel/trace.ts';
import { announce } from './announce-store.ts';
import { acquire, claim, readEndpoints } from './claim-store.ts';
import type { Ask, Claimed, EndpointRow, Wish } from './claim-store.ts';
import { isSlackEvent } from './event-types.ts';
import { finish } from './finish-store.ts';
import type { Finished } from './finish-store.ts';
import type { Relay } from './relay.ts';
import { reporter } from './report.ts';
import { startRun } from './run.ts';
import type { Finish, RunDeps, Written } from './run-deps.ts';
import { routeOf, send } from './send.ts';
import type { Attempt, SendDeps } from './send.ts';

export type EngineDeps = SendDeps & {
  db: Kysely<DB>;
  relay: Pick<Relay, 'wake' | 'schedule'>;
  metrics: Metrics;
  log: Log;
  retryWaitsMs: readonly number[];
  inFlightCap: number;
  /** carries what is done in Slack: as `send` does a callback, it never throws */
  slack: (claimed: Claimed & { body: string }) => Promise<Attempt>;
};
export type Engine = {
  /** Carries one job: sends all that is due to the endpoint, unless somebody already does. */
  carry: (endpointId: string) => Promise<void>;
  /** Begins no request any more; those under way end, and their results are written. */
  stop: () => void;
};

const CLAIMS_AT_ONCE = 100;
/** Deliveries claimed ahead: by one run, and by all of them together. */
const MAX_CLAIM = 200;
const MAX_CLAIMED = 2_000;
/** Requests begun at the same time, not counting those that take longer than a moment: these must not keep others waiting. */
const BEGUN_AT_ONCE = 128;
const MOMENT_MS = 1_000;
/** However many endpoints are sent to, each may have so many requests under way: more connections would only be slower. */
const MIN_WIDTH = 2;
const WRITES_AT_ONCE = 500;
const WRITE_PACE_MS = 15;
const WRITE_AGAIN_MS = 100;
const WRITE_AGAIN_MAX_MS = 2_000;
/** A stopping process does not wait longer for a database that is away. */
const LAST_WRITE_MS = 8_000;

/** One of these per worker process. */
export function createEngine(deps: EngineDeps): Engine {
  const { db, relay, metrics, log } = deps;
  const runs = new Map<string, { poke: () => void }>();
  const poked = new Set<string>();
  const reportTrouble = rateLimited((error) =>
    log.warn({ err: error }, 'results of callbacks could not be written; will try until they are'),
  );
  let stoppedAt: number | undefined;
  let [troubled, clockOffsetMs] = [false, 0];
  const stopping = () => stoppedAt !== undefined;
  const now = () => new Date(Date.now() + clockOffsetMs);

  const claimAll = async (asks: Ask[]): Promise<Claimed[][]> => {
    const claimed = await claim(db, asks);
    metrics.claimBatchSize.observe(claimed.length);
    const [first] = claimed;
    if (first) clockOffsetMs = first.db_now_ms - Date.now();
    const byEndpoint = new Map(asks.map(({ endpoint_id }) => [endpoint_id, [] as Claimed[]]));
    for (const one of claimed) byEndpoint.get(one.endpoint_id)?.push(one);
    return asks.map(({ endpoint_id }) => byEndpoint.get(endpoint_id) ?? []);
  };
  const acquireAll = async (wishes: Wish[]): Promise<(EndpointRow | undefined)[]> => {
    const leased = await acquire(db, wishes);
    metrics.leaseReclaimedTotal.inc(leased.filter(({ lapsed }) => lapsed).length);
    const rows = new Map(leased.map((row) => [row.lease_token, row]));
    return wishes.map(({ token }) => rows.get(token));
  };
  const readAll = async (ids: string[]): Promise<(EndpointRow | undefined)[]> => {
    const rows = new Map((await readEndpoints(db, ids)).map((row) => [row.id, row]));
    return ids.map((id) => rows.get(id));
  };

  async function writeAll(items: Finish[]): Promise<Written[]> {
    for (let waitMs = WRITE_AGAIN_MS; ; waitMs = Math.min(2 * waitMs, WRITE_AGAIN_MAX_MS)) {
      try {
        const stop = metrics.flushDurationSeconds.startTimer();
        const finished = await writeOnce(items);
        stop();
        troubled = false;
        return items.map((item) => written(item, finished));
      } catch (error) {
        if (isItemsFault(error)) throw error;
        troubled = true;
        reportTrouble(error);
        metrics.flushRetriesTotal.inc();
        if (stoppedAt !== undefined && performance.now() > stoppedAt + LAST_WRITE_MS) throw error;
        await sleep(waitMs);
      }
    }
  }

  async function writeOnce(items: Finish[]): Promise<Finished> {
    const results = items.flatMap(({ result }) => result ?? []);
    const gone = items.flatMap((item) => item.gone ?? []);
    const states = [...new Map(items.map(({ state }) => [state.token, state])).values()];
    if (items.every(({ announcements }) => announcements.length === 0))
      return finish(db, results, states, gone);
    const { finished, woken } = await db.transaction().execute(async (tx) => {
      const done = await finish(tx, results, states, gone);
      const endpoints = [];
      // What was not ours to write, or had been written before its answer got lost, is no news.
      const news = items.filter((item) => written(item, done).kept).flatMap((item) => item.announcements);
      for (const one of news) endpoints.push(...(await announce(tx, one, now())));
      return { finished: done, woken: endpoints };
    });
    relay.wake(woken);
    return finished;
  }

  const write = batched(writeAll, {
    atOnce: 1,
    maxItems: WRITES_AT_ONCE,
    isItemsFault,
    paceMs: WRITE_PACE_MS,
  });
  const runDeps: RunDeps = {
    acquire: batched(acquireAll, { atOnce: 1, maxItems: CLAIMS_AT_ONCE, isItemsFault: () => false }),
    claim: batched(claimAll, { atOnce: 1, maxItems: CLAIMS_AT_ONCE, isItemsFault: () => false }),
    read: batched(readAll, { atOnce: 1, maxItems: CLAIMS_AT_ONCE, isItemsFault: () => false }),
    finish: (item) => write(item).catch((error: unknown) => write(plain(item, error))),
    turn: createTurns(BEGUN_AT_ONCE, MOMENT_MS),
    send: (route, claimed) => {
      metrics.inFlight.inc();
      const attributes = { 'countersign.delivery_id': claimed.id, 'countersign.attempt': claimed.attempt };
      const isSlack = isSlackEvent(claimed.type);
      const name = isSlack ? 'slack attempt' : 'callback attempt';
      return spanOf(name, claimed.traceparent, attributes, async (span) => {
        const attempt = await (isSlack ? deps.slack(claimed) : send(deps, route, claimed, now()));
        span.setAttribute('http.response.status_code', attempt.status_code ?? 0);
        return attempt;
      }).finally(() => metrics.inFlight.dec());
    },
    routeOf: (row) => routeOf(deps, row),
    report: reporter({ log, metrics, relay }),
    claimLimit: () => Math.min(MAX_CLAIM, Math.floor(MAX_CLAIMED / Math.max(runs.size, 1))),
    widthLimit: () => Math.max(MIN_WIDTH, Math.ceil((2 * BEGUN_AT_ONCE) / Math.max(runs.size, 1))),
    maySend: () => !stopping() && !troubled,
    inFlightCap: deps.inFlightCap,
    retryWaitsMs: deps.retryWaitsMs,
    ...{ metrics, log, now },
  };

  return {
    async carry(endpointId) {
      metrics.wakesTotal.inc();
      const known = runs.get(endpointId);
      if (known) {
        poked.add(endpointId);
        return known.poke();
      }
      if (stopping()) return;
      do {
        poked.delete(endpointId);
        const run = startRun(runDeps, endpointId);
        runs.set(endpointId, run);
        const unfinished = await run.done.finally(() => runs.delete(endpointId));
        if (unfinished) relay.wake([endpointId]);
      } while (poked.has(endpointId) && !stopping());
    },
    stop() {
      stoppedAt ??= performance.now();
    },
  };
}

function written({ result, state }: Finish, { lost, held }: Finished): Written {
  return { kept: result === undefined || !lost.has(result.delivery_id), held: held.has(state.token) };
}

/** Bad data (SQLSTATE class 22) or a broken constraint (23): the same results would fail again. */
function isItemsFault(error: unknown): boolean {
  return /^2[23]/.test(String((error as { code?: unknown }).code));
}

/** A result that PostgreSQL does not take, without what the receiver said: it must not be lost for that. */
function plain(item: Finish, error: unknown): Finish {
  const { attempt } = item.result ?? {};
  if (!isItemsFault(error) || !item.result || !attempt) throw error;
  const bare = { ...attempt, response_excerpt: null, error_message: null, remote_address: null };
  return { ...item, announcements: [], result: { ...item.result, attempt: bare } };
}
