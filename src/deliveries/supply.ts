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
  let buffer: Claimed[] = [];
  let filledAt = performance.now();
  let size = deps.inFlightCap;
  let dry = false;
  let filling: Promise<void> | undefined;
  let row: EndpointRow | undefined;
  let readAt = 0;

  async function fill(): Promise<void> {
    const want = Math.max(size - buffer.length, 1);
    const claimed = await deps.claim({ endpoint_id: endpointId, token, want });
    if (claimed.length > 0 && performance.now() - readAt > READ_AGAIN_MS) {
      row = await deps.read(endpointId);
      readAt = performance.now();
    }
    buffer.push(...claimed);
    dry = claimed.length < want;
    size = nextSize(size, performance.now() - filledAt, row?.in_flight_cap ?? deps.inFlightCap);
    filledAt = performance.now();
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

  async function drop(): Promise<void> {
    await filling;
    const ids = buffer.map(({ id }) => id);
    buffer = [];
    if (ids.length > 0) await deps.giveBack(ids, token).catch(() => undefined); // their leases lapse
  }

  return {
    async next() {
      for (;;) {
        if (readAt > 0 && row?.lease_token !== token) return undefined;
        if (buffer.length > 0 && performance.now() - filledAt > MAX_WAIT_MS) await drop();
        // Half of it is claimed while the other half is sent, so that nobody waits for the database.
        if (!dry && buffer.length <= size / 2) void begin();
        const claimed = buffer.shift();
        if (claimed || !filling) return claimed;
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
