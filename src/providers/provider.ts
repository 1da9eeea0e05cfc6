import type { Outbound, Reach } from '../kernel/outbound.ts';

/** What the operator entered for an account; each provider names its own fields. */
export type Settings = { [field: string]: string };
/** One thing to enter for an account. */
export type Field = {
  /** what to enter, and where at the provider it stands */
  help: string;
  /** used when nothing is entered; '' makes the field optional; without it the field is required */
  fallback?: string;
  /** the option takes the path of a file, whose text is the value */
  file?: boolean;
  /** an address we call, checked against what the mode may reach */
  called?: boolean;
  /** makes a value when nothing is entered and the account has none yet */
  generate?: () => string;
};

/** The way out for a provider's API calls, limited to what the account's mode may reach. */
export type Http = { outbound: Outbound; reach: Reach };
/** A webhook as it came in: header names in lower case, the body's exact bytes. */
export type RawRequest = { headers: { [name: string]: string | string[] | undefined }; body: Buffer };

/** Something a provider found that does not decide; kept on the challenge, so it holds no personal data. */
export type Signal = {
  kind: string;
  /** the provider's time, as it wrote it; null where it gives none */
  at: string | null;
  facts: { [name: string]: Fact };
};
export type Fact = string | number | boolean | null | Fact[] | { [name: string]: Fact };
/** How far the person is. `at` is the provider's time as it wrote it; null: the time we heard of it counts. */
export type Progress = { type: 'event' | 'error'; message: string; at: string | null };

/** What a provider told us about a session. `decision` is undefined while nothing is conclusive. */
export type Report = {
  decision: { to: 'verified' } | { to: 'failed' | 'expired'; reason: string } | undefined;
  /** the provider's own word, for the audit trail */
  word: string;
  reasonCode: string | null;
  /** puts decisions of one session in order, in a form that sorts as text; undefined where there is no order, or nothing decided */
  decidedAt: string | undefined;
  /** our challenge id as the provider echoes it; null where it does not */
  challengeId: string | null;
  /** our id of the run, where startSession could only put it into a link */
  runId?: string | null;
  signals?: Signal[];
  progress?: Progress;
};

/** An authentic webhook, recognised. */
export type Webhook = {
  kind: string;
  eventKey: string;
  sessionId: string | undefined;
  /** finds the session of later webhooks that name only the attempt */
  attemptId?: string | undefined;
  /** undefined: it may change nothing */
  report: Report | undefined;
  /** only a hint that there may be a report: the provider is asked before anything changes */
  ask?: boolean;
  /** the same text may be news again: it is the same webhook for a minute only */
  repeats?: boolean;
};

/** A session as the provider knows it; `token` is what startSession returned with it. */
export type KnownSession = { sessionId: string; token: string | undefined };

/** A provider is one file with these functions and one line in index.ts. */
export type Provider = {
  label: string;
  fields: { [field: string]: Field };
  /** the addresses its webhooks come from, where it publishes them */
  addresses: readonly string[];
  /** whether it leads the browser back to `returnUrl` */
  comesBack: boolean;
  /** Throws a 400 for settings that cannot be right, such as a secret of the other mode. */
  checkSettings?(settings: Settings, mode: 'test' | 'live'): void;
  /** What the operator is to do at the provider, a line each. */
  setUp(webhookUrl: string, settings: Settings): string[];
  /**
   * Opens a session for the person; `returnUrl` is where the browser comes back to, and proves nothing. Without a
   * `sessionId` the session is found by the challenge id in a report. `token` is sealed and given to fetchReport.
   */
  startSession(
    run: { challengeId: string; runId?: string; returnUrl: string },
    settings: Settings,
    http: Http,
  ): Promise<{ sessionId: string | undefined; url: string; token?: string }>;
  /** The webhook's text once it is proven authentic; throws unauthorized, always the same. */
  openWebhook(request: RawRequest, settings: Settings, now: Date): string;
  /** Recognises a webhook's text; never throws, so that what is authentic is always kept. */
  readWebhook(text: string): Webhook;
  /** Asks for a session's report; undefined while there is none. */
  fetchReport(session: KnownSession, settings: Settings, http: Http): Promise<Report | undefined>;
  /** Looks for sessions of these challenges, begun since then, where startSession cannot name them. */
  findSessions?(
    challengeIds: ReadonlySet<string>,
    since: Date,
    settings: Settings,
    http: Http,
  ): Promise<{ sessionId: string; report: Report }[]>;
};
