import type { Settings } from '../providers/provider.ts';

/** A webhook on its way: the exact bytes, and the headers that make it authentic as of when they are asked for. */
export type Message = { body: string | Buffer; headers: () => Record<string, string> };
/** One copy's way: the last status it was answered (0: none in time), after how many tries and milliseconds. */
export type Delivery = { body: string; status: number; tries: number; ms: number };

/** How webhooks travel; what is not said stays as the vendor documents it. */
export type Travel = {
  /** wait before the first try of each */
  delayMs: number;
  /** this share of webhooks is never sent, 0 to 1 */
  lose: number;
  /** how many go out at the same time */
  copies: number;
  /** several webhooks of one outcome go out last first */
  reversed: boolean;
  /** tries in all, and the waits between them */
  tries: number;
  retryMs: readonly number[];
};

/** A session as the vendor sees it. */
export type SimulatedSession = { id: string; url: string; challengeId: string | null };

/**
 * A vendor played over real HTTP: it checks what the vendor checks, serves the hosted step at a session's `url` (a form
 * with one button an outcome, field `decision`; then it sends the webhooks and leads the browser back), and signs what
 * the vendor signs.
 */
export type Simulator = {
  label: string;
  url: string;
  /** what an operator enters at Countersign */
  settings: Settings;
  sessions: readonly SimulatedSession[];
  /** every copy of every webhook that was sent, as it fared */
  deliveries: readonly Delivery[];
  /** each way a run can go, and what the challenge is to be afterwards */
  outcomes: { readonly [outcome: string]: 'verified' | 'failed' | 'expired' | 'in-progress' };
  /** what an operator enters at the vendor */
  sendWebhooksTo(url: string): void;
  /** travels as usual but for this, until it is told again */
  behave(change?: Partial<Travel>): void;
  /** the newest session of this challenge, once there is one */
  sessionOf(challengeId: string): Promise<SimulatedSession>;
  /** lets a run go this way: from now on the vendor's API tells of it. Returns its webhooks in their order, unsent */
  play(session: SimulatedSession, outcome: string): Message[];
  /** sends webhooks as `behave` says; resolves to how each copy was answered in the end */
  send(messages: readonly Message[]): Promise<number[]>;
  /** stops once all webhooks under way have arrived */
  close(): Promise<void>;
};

/** Where a simulator listens, what it says of each request and webhook, and settings to take over from an earlier run. */
export type SimulatorOptions = { port?: number; settings?: Settings; tell?: (line: string) => void };
