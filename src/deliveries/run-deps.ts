import type { Metrics } from '../kernel/metrics.ts';
import type { Announcement } from './announce.ts';
import type { Claimed, EndpointRow, Wish } from './claim-store.ts';
import type { Conclusion } from './conclude.ts';
import type { EndpointState, Gone, Result } from './finish-store.ts';
import type { Attempt, Route } from './send.ts';
import type { SupplyDeps } from './supply.ts';

/** What a run gives to be written: a result, if any, and the endpoint as it is after it. */
export type Finish = {
  state: EndpointState;
  result?: Result;
  gone?: Gone | undefined;
  announcements: Announcement[];
};
/** Whether the delivery was still ours, and whether the endpoint still is. */
export type Written = { kept: boolean; held: boolean };

/** What the engine shares among its runs. */
export type RunDeps = SupplyDeps & {
  /** leases the endpoint to this run; undefined when there is nothing to send, or somebody else does */
  acquire: (wish: Wish) => Promise<EndpointRow | undefined>;
  metrics: Metrics;
  routeOf: (row: EndpointRow) => Route;
  send: (route: () => Route, claimed: Claimed & { body: string }) => Promise<Attempt>;
  /** waits until one request more may begin; the returned function says that it has ended */
  turn: () => Promise<() => void>;
  /** writes until it is written; rejects only when the process ends */
  finish: (item: Finish) => Promise<Written>;
  /** news of an attempt, once it is written */
  report: (row: EndpointRow, claimed: Claimed, attempt: Attempt, end: Conclusion, kept: boolean) => void;
  /** how many requests a run may have under way, in view of how many runs there are */
  widthLimit: () => number;
  /** false while the process stops, and while results cannot be written */
  maySend: () => boolean;
  retryWaitsMs: readonly number[];
  now: () => Date;
};

/** A run of one endpoint: `poke` says that more may be due; `done` is true when it stopped only to make room. */
export type Run = { poke: () => void; done: Promise<boolean> };
