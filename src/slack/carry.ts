import type { SlackEvent } from '../deliveries/event-types.ts';
import { MESSAGE_CHARS, NOTHING } from '../deliveries/send.ts';
import type { Attempt } from '../deliveries/send.ts';
import { performCommand } from './command.ts';
import type { Done, Job, SlackDeps } from './deps.ts';
import { SlackError } from './error.ts';
import { giveReply } from './reply.ts';
import { showMessage } from './show.ts';

/**
 * How the delivery engine does what is to be done in Slack: like a callback, each attempt ends with a record, and never
 * throws. `ok:false` is for good, but for Slack's own trouble; 429 spends no attempt.
 */
export function createCarrier(deps: SlackDeps): (claimed: Job) => Promise<Attempt> {
  return async (claimed) => {
    const clock = performance.now();
    const tookMs = () => Math.round(performance.now() - clock);
    try {
      const { called, note } = await CARRIERS[claimed.type as SlackEvent](deps, claimed);
      return { ...NOTHING, duration_ms: tookMs(), status_code: called ? 200 : null, response_excerpt: note };
    } catch (error) {
      return { ...NOTHING, duration_ms: tookMs(), ...failed(error) };
    }
  };
}

const CARRIERS: Record<SlackEvent, (deps: SlackDeps, claimed: Job) => Promise<Done>> = {
  'slack.card': showMessage,
  'slack.notice': showMessage,
  'slack.command': performCommand,
  'slack.reply': giveReply,
};

function failed(error: unknown): Partial<Attempt> {
  const error_message = (error as Error).message.slice(0, MESSAGE_CHARS);
  // Our own mistakes must not look like Slack's.
  if (!(error instanceof SlackError)) return { error_class: 'internal', error_message };
  const { kind, code, about } = error;
  const { statusCode = null, retryAfterS, rule } = about;
  if (kind === 'refused') {
    const status_code = UNASKED.has(code) ? null : 200;
    return { error_class: 'slack_refused', error_message, status_code, permanent: true };
  }
  if (kind === 'limited') {
    const limit = { status_code: 429, retryAfter: String(retryAfterS), unspent: true };
    return { error_class: code, error_message, ...limit };
  }
  return { error_class: classOf(code), error_message, status_code: statusOf(statusCode), rule, urgent: true };
}

/** Refused by ourselves: Slack was not asked. */
const UNASKED: ReadonlySet<string> = new Set(['not_connected']);

/** As callbacks name it. */
function classOf(code: string): string {
  return code.startsWith('http_') ? `${code.slice(0, 6)}xx` : code;
}

/** Without 410: of a receiver it means that nobody is to come again, and Slack does not say that. */
function statusOf(statusCode: number | null): number | null {
  return statusCode === 410 ? null : statusCode;
}
