import type { Log } from '../kernel/log.ts';
import type { Ask, Claimed, EndpointRow } from './claim-store.ts';

export type SupplyDeps = {
  /** claims deliveries; runs that ask at the same time share a statement */
  claim: (ask: Ask) => Promise<Claimed[]>;
  read: (endpointId: string) => Promise<EndpointRow | undefined>;
  giveBack: (ids: string[], token: string) => Promise<void>;
  inFlightCap: number;
  log: Log;
};
/** What a run sends: claimed ahead in batches, and the endpoint's row, never older than a second when a batch comes. */
export type Supply = {
  /** The next delivery; undefined when nothing more is due, or the endpoint is no longer ours. */
  next(): Promise<Claimed | undefined>;
  row(): EndpointRow | undefined;
  /** whether the last claim found less than there was room for, and all of it has been handed out */
  isDry(): boolean;
  /** Something may have come due since it ran dry. */
  refresh(): void;
  /** Gives back what was claimed and not begun. */
  drop(): Promise<void>;
};

const MAX_CLAIM = 100;
/** A claimed delivery waits no longer for its turn, so that its lease outlives its request. */
const MAX_WAIT_MS = 15_000;
const READ_AGAIN_MS = 1_000;
/** Used up sooner: claim more at a time. Not used up by then: less. */
const QUICK_MS = 500;
const SLOW_MS = 2_000;

/** The supply of one run; `token` is its lease on the endpoint. */
export function createSupply(deps: SupplyDeps, endpointId: string, token: string): Supply {
  let buffer: { claimed: Claimed; since: number }[] = [];
  let filledAt = performance.now();
  let size = deps.inFlightCap;
  let dry = false;
  let filling: Promise<void> | undefined;
  let row: EndpointRow | undefined;
  let readAt = -Infinity;

  async function fill(): Promise<void> {
    const want = Math.max(size - buffer.length, 1);
    // Their leases began when the claim did, which may have had to wait.
    const since = performance.now();
    const claimed = await deps.claim({ endpoint_id: endpointId, token, want });
    await readAgain(claimed).catch(async (error: unknown) => {
      await giveBack(claimed);
      throw error;
    });
    buffer.push(...claimed.map((one) => ({ claimed: one, since })));
    dry = claimed.length < want;
    size = nextSize(size, performance.now() - filledAt, row?.in_flight_cap ?? deps.inFlightCap);
    filledAt = performance.now();
  }

  /** Also when nothing was claimed any more: somebody may have disabled the endpoint. */
  async function readAgain(claimed: Claimed[]): Promise<void> {
    if ((claimed.length === 0 && !row) || performance.now() - readAt <= READ_AGAIN_MS) return;
    row = await deps.read(endpointId);
    readAt = performance.now();
  }

  function begin(): Promise<void> {
    filling ??= fill()
      .catch((error: unknown) => {
        dry = true; // the sweep comes again
        deps.log.warn({ err: error, endpoint_id: endpointId }, 'deliveries could not be claimed');
      })
      .finally(() => (filling = undefined));
    return filling;
  }

  async function giveBack(claimed: Claimed[]): Promise<void> {
    const ids = claimed.map(({ id }) => id);
    if (ids.length > 0) await deps.giveBack(ids, token).catch(() => undefined); // their leases lapse
  }

  async function dropStale(): Promise<void> {
    const oldest = performance.now() - MAX_WAIT_MS;
    if (!buffer[0] || buffer[0].since > oldest) return;
    const stale = buffer.filter(({ since }) => since <= oldest);
    buffer = buffer.slice(stale.length);
    await giveBack(stale.map(({ claimed }) => claimed));
  }

  async function drop(): Promise<void> {
    await filling;
    await giveBack(buffer.splice(0).map(({ claimed }) => claimed));
  }

  return {
    async next() {
      for (;;) {
        if (row && row.lease_token !== token) return undefined;
        await dropStale();
        // Half of it is claimed while the other half is sent, so that nobody waits for the database.
        if (!dry && buffer.length <= size / 2) void begin();
        const first = buffer.shift();
        if (first || !filling) return first?.claimed;
        await filling;
      }
    },
    row: () => row,
    isDry: () => dry && !filling && buffer.length === 0,
    refresh: () => (dry = false),
    drop,
  };
}

function nextSize(size: number, tookMs: number, cap: number): number {
  const wished = tookMs < QUICK_MS ? size * 2 : tookMs > SLOW_MS ? cap : size;
  return Math.min(Math.max(wished, cap), MAX_CLAIM);
}
