import { ErrorCode } from '@slack/web-api';
import { AppError } from '../kernel/errors.ts';
import { OutboundError } from '../kernel/outbound.ts';

/**
 * `limited`: Slack looked at nothing and wants to be left alone for `retryAfterS`; `unavailable`: no answer, or none that
 * says anything, so what was asked may have been done; `refused`: Slack did not do it, and says why in `code`.
 */
type Kind = 'limited' | 'unavailable' | 'refused';

/** What came of a call to Slack that did not succeed. */
export class SlackError extends Error {
  readonly kind: Kind;
  /** Slack's own word for it, or ours */
  readonly code: string;
  readonly about: { retryAfterS?: number; statusCode?: number; rule?: string | undefined };
  constructor(
    kind: Kind,
    code: string,
    message: string,
    about: { retryAfterS?: number; statusCode?: number; rule?: string | undefined } = {},
  ) {
    super(message);
    this.kind = kind;
    this.code = code;
    this.about = about;
  }
}

/** Slack's words for trouble of its own, which passes. */
const PASSING: ReadonlySet<string> = new Set([
  ...['internal_error', 'fatal_error', 'service_unavailable', 'request_timeout', 'team_added_to_org'],
  ...['accesslimited', 'external_channel_migrating', 'org_login_required'],
]);
const LIMITED: ReadonlySet<string> = new Set(['ratelimited', 'rate_limited', 'message_limit_exceeded']);
const DEFAULT_RETRY_AFTER_S = 30;

/** What the client threw, as a SlackError that holds nothing secret; other errors come back as they are. */
export function slackErrorOf(error: unknown): unknown {
  const { code } = (error ?? {}) as { code?: string };
  if (code === ErrorCode.RateLimitedError) return limited((error as { retryAfter: number }).retryAfter);
  if (code === ErrorCode.HTTPError) {
    const { statusCode } = error as { statusCode: number };
    return new SlackError('unavailable', `http_${statusCode}`, `Slack answers ${statusCode}`, { statusCode });
  }
  if (code === ErrorCode.RequestError) return unreachable((error as { original: unknown }).original);
  if (code === ErrorCode.PlatformError) return refused((error as { data: Refusal }).data);
  return error;
}

/** What the outbound client threw while Slack was called. */
export function unreachable(original: unknown): SlackError {
  const known = original instanceof OutboundError ? original : undefined;
  const reason = known?.message ?? 'the answer is none of Slack’s';
  return new SlackError('unavailable', known?.errorClass ?? 'reset', `Slack cannot be reached: ${reason}`, {
    rule: known?.rule,
  });
}

/** Slack asks not to be called for so many seconds. */
export function limited(seconds: number | undefined): SlackError {
  const retryAfterS = seconds || DEFAULT_RETRY_AFTER_S;
  return new SlackError('limited', 'rate_limited', `Slack asks to wait ${retryAfterS} s`, { retryAfterS });
}

/** The same for a program that is waiting for an answer: a 503 that says what to do. */
export function asUnavailable(error: unknown): unknown {
  if (!(error instanceof SlackError)) return error;
  const cure = error.kind === 'refused' ? 'see `countersign slack test`' : 'try again';
  return new AppError('unavailable', `${error.message}; ${cure}`);
}

type Refusal = { error: string; needed?: string };

function refused({ error, needed }: Refusal): SlackError {
  if (LIMITED.has(error)) return limited(undefined);
  if (PASSING.has(error)) return new SlackError('unavailable', error, `Slack has trouble: ${error}`);
  const missing = error === 'missing_scope' && needed ? ` (the app needs ${needed})` : '';
  return new SlackError('refused', error, `Slack refuses: ${error}${missing}`);
}
