import type { Outbound, Reach } from '../kernel/outbound.ts';

/** What the operator entered for an account; each provider names its own fields. */
export type Settings = { [field: string]: string };
/** The way out for a provider's API calls, limited to what the account's mode may reach. */
export type Http = { outbound: Outbound; reach: Reach };
/** A webhook as it came in: header names in lower case, the body's exact bytes. */
export type RawRequest = { headers: { [name: string]: string | string[] | undefined }; body: Buffer };

/** What a provider told us about a session. `decision` is undefined while nothing is conclusive. */
export type Report = {
  decision: { to: 'verified' } | { to: 'failed' | 'expired'; reason: string } | undefined;
  /** the provider's own word, for the audit trail */
  word: string;
  reasonCode: string | null;
  /** when it was decided, in a form that sorts as text; undefined where the provider does not say */
  decidedAt: string | undefined;
  /** our challenge id as the provider echoes it; null where it does not */
  challengeId: string | null;
};

/** An authentic webhook, recognised: `report` is undefined where it may change nothing. */
export type Webhook = {
  kind: string;
  eventKey: string;
  sessionId: string | undefined;
  report: Report | undefined;
};

/** A provider is one file with these functions and one line in index.ts. */
export type Provider = {
  label: string;
  /** the settings an account needs, each with what to enter */
  fields: { [field: string]: string };
  /** Opens a session for the person; `returnUrl` is where the browser comes back to, and proves nothing. */
  startSession(
    run: { challengeId: string; returnUrl: string },
    settings: Settings,
    http: Http,
  ): Promise<{ sessionId: string; url: string }>;
  /** The webhook's text once it is proven authentic; throws unauthorized. */
  openWebhook(request: RawRequest, settings: Settings): string;
  /** Recognises a webhook's text; never throws, so that what is authentic is always kept. */
  readWebhook(text: string): Webhook;
  /** Asks for a session's report; undefined while there is none. */
  fetchReport(sessionId: string, settings: Settings, http: Http): Promise<Report | undefined>;
};
