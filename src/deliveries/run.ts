import { newId } from '../kernel/id.ts';
import { announcementsOf } from './announce.ts';
import { healthOf, stateOf } from './breaker.ts';
import type { Health } from './breaker.ts';
import type { Claimed, EndpointRow } from './claim-store.ts';
import { conclude, concludeUnsent } from './conclude.ts';
import type { Finish, Run, RunDeps, Written } from './run-deps.ts';
import type { Route } from './send.ts';
import { createSupply } from './supply.ts';

/** Then it makes room for others that wait for a run. */
const MAX_RUN_MS = 30_000;
/** Results of a run on their way to the database; beyond that nothing new is begun. */
const MAX_UNWRITTEN = 1_000;

/** No request begins under an older lease: one may take ten of its twenty seconds, and writing the result some more. */
const RENEW_AFTER_MS = 5_000;
const LOOK_MS = 1_000;
/** Longer than any callback takes. What is done in Slack may take several calls, each as long as a callback. */
const KEEP_AFTER_MS = 10_000;

/** Leases the endpoint, if somebody must and may send to it, and sends until nothing is due or it must not go on. */
export function startRun(deps: RunDeps, endpointId: string): Run {
  const token = newId();
  let sending: Run | undefined;
  const begin = async () => {
    const askedAt = performance.now();
    const row = await deps.acquire({ endpoint_id: endpointId, token });
    if (!row) return false;
    sending = sendAll(deps, row, token, askedAt);
    return sending.done;
  };
  return { poke: () => sending?.poke(), done: begin() };
}

/**
 * One run at a time among all processes, by the endpoint's lease; within it at most as many requests as its cap allows,
 * and one at a time while the endpoint fails.
 */
function sendAll(deps: RunDeps, found: EndpointRow, token: string, askedAt: number): Run {
  const supply = createSupply(deps, found, token);
  const until = performance.now() + MAX_RUN_MS;
  const writes = new Set<Promise<Written>>();
  let health = healthOf(found, deps.now());
  let openedFor: { row: EndpointRow; route: Route } | undefined;
  /** `releasing`: nobody may begin under a lease that is being given away. */
  let [workers, held, releasing, leasedAt] = [0, true, false, askedAt];
  let renewing: Promise<void> | undefined;
  const all: Promise<void>[] = [];
  const goneUrls = new Set<string>();

  /** What operators decide stands in the row, which is read again and again; the rest is ours. */
  const current = (): Health => {
    const { disabled_at } = supply.row();
    return disabled_at ? { ...health, disabled_at } : health;
  };
  const standing = () => stateOf(current(), deps.now());
  const isLate = () => performance.now() > until;
  const isOver = () =>
    !held || isLate() || !deps.maySend() || ['open', 'paused', 'disabled'].includes(standing());
  const mayBegin = () => !releasing && !isOver();
  const mayTake = () => mayBegin() && workers <= width();
  const cap = () => supply.row().in_flight_cap ?? deps.inFlightCap;
  const width = () => (standing() === 'healthy' ? Math.min(cap(), deps.widthLimit()) : 1);

  function route(row: EndpointRow): Route {
    if (openedFor?.row !== row) openedFor = { row, route: deps.routeOf(row) };
    return openedFor.route;
  }

  async function work(): Promise<void> {
    for (let claimed = await take(); claimed; claimed = await take()) {
      await carry(claimed);
      recruit();
    }
  }

  async function take(): Promise<Claimed | undefined> {
    if (!mayTake()) return undefined;
    const claimed = await supply.next();
    if (!claimed || mayTake()) return claimed;
    supply.putBack(claimed);
    return undefined;
  }

  /** For requests about to begin, so it never lets go; `held` says afterwards whether they may. */
  async function renew(): Promise<void> {
    const begunAt = performance.now();
    const state = { endpoint_id: found.id, token, health: current(), release: 'no' } as const;
    const answer = await deps.finish({ state, announcements: [] });
    leasedAt = Math.max(leasedAt, begunAt);
    if (!answer.held) held = false;
  }

  const isStale = () => held && performance.now() - leasedAt > RENEW_AFTER_MS;
  const keep = () => (renewing ??= renew().finally(() => (renewing = undefined)));

  /** As many workers as the endpoint may have requests under way, while there is something to send. */
  function recruit(): void {
    while (workers < width() && !supply.isDry() && mayBegin()) {
      workers++;
      all.push(work().finally(() => workers--));
    }
  }

  async function carry(claimed: Claimed): Promise<void> {
    const row = supply.row();
    const isGone = claimed.gone || goneUrls.has(claimed.url);
    if (isGone || !hasBody(claimed)) {
      const reason = isGone ? 'gone' : 'body_deleted';
      const result = concludeUnsent(claimed, reason, token);
      return write({ result, announcements: [] }, (kept) => deps.metrics.givenUpTotal.inc({ reason }, +kept));
    }
    const done = await deps.turn();
    // Again if it took long: the lease may be as old as its renewing was slow.
    while (isStale()) await keep();
    if (!mayBegin()) {
      supply.putBack(claimed);
      return done();
    }
    const startedAt = deps.now();
    const keeping = setInterval(() => void keep().catch(() => undefined), KEEP_AFTER_MS);
    const attempt = await deps.send(() => route(row), claimed).finally(() => clearInterval(keeping));
    done();
    const end = conclude(claimed, attempt, {
      ...{ token, health, startedAt, now: deps.now(), random: Math.random() },
      waitsMs: row.retry_waits_s?.map((wait) => wait * 1_000) ?? deps.retryWaitsMs,
    });
    health = end.health;
    // Others to the same URL were under way: it is gone once.
    const isNews = !goneUrls.has(claimed.url);
    if (end.gone) goneUrls.add(claimed.url);
    const announcements = announcementsOf(row, claimed, attempt, end).filter(
      ({ type }) => isNews || type !== 'endpoint.gone',
    );
    const { result, gone } = end;
    await write({ result, gone, announcements }, (kept) => deps.report(row, claimed, attempt, end, kept));
  }

  /** Waits for the writing only when it must: as the last, to learn whether more is due, or when too much is unwritten. */
  async function write(
    item: Omit<Finish, 'state'>,
    then: (kept: boolean) => void = () => undefined,
  ): Promise<void> {
    const begunAt = performance.now();
    // Of a run that must end, what it had claimed is forgotten by then, however much more is due.
    const isLast = workers === 0 || (workers === 1 && supply.isDry());
    const release = !isLast ? 'no' : isOver() ? 'now' : 'if_done';
    if (release !== 'no') releasing = true;
    const state = { endpoint_id: found.id, token, health: current(), release } as const;
    const written = deps.finish({ ...item, state });
    writes.add(written);
    void written.finally(() => writes.delete(written)).catch(() => undefined);
    const settled = written.then((answer) => {
      if (item.result) supply.written(item.result.delivery_id);
      then(answer.kept);
      leasedAt = Math.max(leasedAt, begunAt);
      if (!answer.held) held = false;
    });
    if (release === 'no' && writes.size <= MAX_UNWRITTEN) return void settled.catch(() => undefined);
    await settled;
    if (release === 'no') return;
    // More has come due, perhaps behind what was given out.
    if (held) await restart();
    releasing = false;
  }

  async function run(): Promise<boolean> {
    // A wake may have gone to another process, which could only see that the endpoint is taken.
    const timer = setInterval(() => void supply.look().then(recruit), LOOK_MS);
    try {
      while (held) {
        recruit();
        while (all.length > 0) await Promise.all(all.splice(0));
        releasing = true;
        await restart();
        if (held) await write({ announcements: [] });
      }
    } finally {
      clearInterval(timer);
    }
    return isLate();
  }

  /** Nothing may be given out meanwhile (`releasing`), or unwritten: it would be given out again. */
  async function restart(): Promise<void> {
    await Promise.allSettled(writes);
    await supply.restart();
  }

  return {
    poke() {
      supply.refresh();
      recruit();
    },
    done: run(),
  };
}

function hasBody(claimed: Claimed): claimed is Claimed & { body: string } {
  return claimed.body !== null;
}
