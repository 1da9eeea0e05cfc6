import type { Log } from '../kernel/log.ts';
import { LATE_LANE, lateShare } from './claim-store.ts';
import type { Claimed, Ask, EndpointRow, Position } from './claim-store.ts';

export type SupplyDeps = {
  /** claims deliveries; runs that ask at the same time share a statement */
  claim: (ask: Ask) => Promise<Claimed[]>;
  read: (endpointId: string) => Promise<EndpointRow | undefined>;
  inFlightCap: number;
  /** how many a run may have claimed ahead, in view of how many runs there are */
  claimLimit: () => number;
  log: Log;
};
/** What a run sends: claimed ahead in batches, and the endpoint's row, never older than a second when a batch comes. */
export type Supply = {
  /** The next delivery; undefined when nothing more is due, or the endpoint is no longer ours. */
  next(): Promise<Claimed | undefined>;
  /** Takes back what `next` gave out, as it was not begun. */
  putBack(claimed: Claimed): void;
  /** The end of a delivery that `next` gave out is written. */
  written(id: string): void;
  row(): EndpointRow;
  /** Looks whether more has come due, and what operators have decided, also while nothing is claimed. */
  look(): Promise<void>;
  /** whether the last claim found less than there was room for, and all of it has been handed out */
  isDry(): boolean;
  /** Something may have come due since it ran dry. */
  refresh(): void;
  /** Begins anew: what was claimed and not given out is as due as before. Only when no delivery's end is unwritten. */
  restart(): Promise<void>;
};

const START: Position = { due_at: '-infinity', id: '00000000-0000-0000-0000-000000000000' };
const READ_AGAIN_MS = 1_000;
/** How often a claim looks from the beginning: what is committed late has come due before what was claimed long ago. */
const LOOK_BACK_MS = 1_000;
/** Used up sooner: claim more at a time. Not used up by then: less. */
const QUICK_MS = 500;
const SLOW_MS = 2_000;

/** The supply of one run; `token` is its lease on the endpoint, and `row` is how it found it. */
export function createSupply(deps: SupplyDeps, row: EndpointRow, token: string): Supply {
  let buffer: Claimed[] = [];
  let after = [START, START, START] as [Position, Position, Position];
  const taken = new Set<string>();
  let [filledAt, readAt, lookedBackAt] = [performance.now(), performance.now(), performance.now()];
  let size = row.in_flight_cap ?? deps.inFlightCap;
  let [dry, refreshes] = [false, 0];
  let filling: Promise<void> | undefined;

  async function fill(): Promise<void> {
    const [begunAt, refreshesBefore] = [performance.now(), refreshes];
    const looksBack = begunAt - lookedBackAt > LOOK_BACK_MS;
    if (looksBack) [lookedBackAt, after] = [begunAt, [START, START, START]];
    // As of now: whatever is written while the claim is under way, the claim may still see as due.
    const known = new Set(taken);
    const want = Math.max(size - buffer.length, 1) + (looksBack ? known.size : 0);
    const claimed = await deps.claim({ endpoint_id: row.id, token, want, after });
    await readAgain();
    for (const one of claimed) {
      after = after.with(one.lane, one) as typeof after;
      if (known.has(one.id)) continue;
      taken.add(one.id);
      buffer.push(one);
    }
    // What was committed while the claim was under way, it may not have seen.
    dry = isShort(claimed, want) && refreshes === refreshesBefore;
    const bounds = { least: row.in_flight_cap ?? deps.inFlightCap, most: deps.claimLimit() };
    size = nextSize(size, performance.now() - filledAt, bounds);
    filledAt = performance.now();
  }

  async function readAgain(): Promise<void> {
    if (performance.now() - readAt <= READ_AGAIN_MS) return;
    row = (await deps.read(row.id)) ?? { ...row, lease_token: null };
    readAt = performance.now();
  }

  function begin(): Promise<void> {
    filling ??= fill()
      .catch((error: unknown) => {
        dry = true; // the sweep comes again
        deps.log.warn({ err: error, endpoint_id: row.id }, 'deliveries could not be claimed');
      })
      .finally(() => (filling = undefined));
    return filling;
  }

  return {
    async next() {
      for (;;) {
        if (row.lease_token !== token) return undefined;
        // Half of it is claimed while the other half is sent, so that nobody waits for the database.
        if (!dry && buffer.length <= size / 2) void begin();
        const claimed = buffer.shift();
        if (claimed || !filling) return claimed;
        await filling;
      }
    },
    putBack: (claimed) => void buffer.unshift(claimed),
    written: (id) => void taken.delete(id),
    row: () => row,
    async look() {
      dry = false;
      refreshes++;
      await readAgain().catch(() => undefined); // a claim will tell
    },
    isDry: () => dry && !filling && buffer.length === 0,
    refresh() {
      dry = false;
      refreshes++;
    },
    async restart() {
      await filling;
      buffer = [];
      taken.clear();
      after = [START, START, START];
      dry = false;
    },
  };
}

/** Whether a claim found less than there was room for; later retries get a share of it only (claim-store.ts). */
function isShort(claimed: readonly Claimed[], want: number): boolean {
  const late = claimed.filter(({ lane }) => lane === LATE_LANE).length;
  return claimed.length - late < want && late < lateShare(want);
}

function nextSize(size: number, tookMs: number, { least, most }: { least: number; most: number }): number {
  const wished = tookMs < QUICK_MS ? size * 2 : tookMs > SLOW_MS ? least : size;
  return Math.max(Math.min(wished, most), least);
}
