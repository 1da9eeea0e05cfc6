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
/** As Slack writes what was wrong, and no token can be; a page of something on the way says anything. */
const WORD = /^[a-z0-9_]{1,80}$/;
const SCOPES = /^[\w.:, -]{1,200}$/;

/** What a call of the client threw, as a SlackError that holds nothing secret. */
export function slackErrorOf(error: unknown): SlackError {
  const { code } = (error ?? {}) as { code?: unknown };
  if (code === ErrorCode.HTTPError) return answered((error as { statusCode: number }).statusCode);
  if (code === ErrorCode.RequestError) return unreachable((error as { original: unknown }).original);
  if (code === ErrorCode.PlatformError) return refused((error as { data: Refusal }).data);
  // It stumbles over JSON that is no object.
  return noneOfSlacks();
}

/** What was thrown while Slack was called. */
export function unreachable(original: unknown): SlackError {
  if (original instanceof SlackError) return original;
  if (!(original instanceof OutboundError)) return noneOfSlacks();
  const { errorClass, message, rule } = original;
  return new SlackError('unavailable', errorClass, `Slack cannot be reached: ${withoutStop(message)}`, {
    rule,
  });
}

/** Slack, or something on the way to it, answered with a status that says nothing of the call. */
export function answered(statusCode: number): SlackError {
  return new SlackError('unavailable', `http_${statusCode}`, `Slack answers ${statusCode}`, { statusCode });
}

/** What came is no answer of Slack's API: another program's, or one on the way. */
export function noneOfSlacks(): SlackError {
  return new SlackError(
    'unavailable',
    'bad_answer',
    'Slack cannot be reached: the answer is none of its API',
  );
}

/** Slack asks not to be called for so many seconds. */
export function limited(seconds: number | undefined): SlackError {
  const known = seconds !== undefined && Number.isSafeInteger(seconds) && seconds > 0;
  const retryAfterS = known ? seconds : DEFAULT_RETRY_AFTER_S;
  return new SlackError('limited', 'rate_limited', `Slack asks to wait ${retryAfterS} s`, { retryAfterS });
}

/** The same for a program that is waiting for an answer: a 503 that says what to do. */
export function asUnavailable(error: unknown): unknown {
  if (!(error instanceof SlackError)) return error;
  // Neither Slack's refusal nor that of our own guard passes by itself.
  const lasts = error.kind === 'refused' || error.about.rule !== undefined;
  const cure = lasts ? 'see `countersign slack test`' : 'try again';
  return new AppError('unavailable', `${error.message}; ${cure}`, undefined, error.about.retryAfterS);
}

type Refusal = { error?: unknown; needed?: unknown };

function refused({ error, needed }: Refusal): SlackError {
  if (typeof error !== 'string' || !WORD.test(error)) return noneOfSlacks();
  if (LIMITED.has(error)) return limited(undefined);
  if (PASSING.has(error)) return new SlackError('unavailable', error, `Slack has trouble: ${error}`);
  const scopes = typeof needed === 'string' && SCOPES.test(needed) ? needed : undefined;
  const missing = error === 'missing_scope' && scopes ? ` (the app needs ${scopes})` : '';
  return new SlackError('refused', error, `Slack refuses: ${error}${missing}`);
}

function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, '');
}
