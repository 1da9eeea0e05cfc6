import { hmacHex, safeEqual } from '../kernel/crypto.ts';
import { AppError } from '../kernel/errors.ts';
import { codeOf, echoOf, keyOf, parseObject, timeOf, UNREADABLE, unknownWebhook, wordOf } from './json.ts';
import type { Json } from './json.ts';
import type { RawRequest, Report, Settings, Webhook } from './provider.ts';

const HEADER = /^v0,(\d{1,12}),([0-9a-fA-F]{64})$/;
/** How far the time in a signature may be off; Berbix's own libraries allow as much, though only into the past. */
const DRIFT_SECONDS = 300;

/** A kind of hook, and where its secret is kept: each hook at Berbix is signed with its own. */
const SECRETS: { readonly [kind: string]: string } = {
  finished: 'finished_secret',
  status_changed: 'status_secret',
  progress: 'progress_secret',
};

/** Actions that decide. `review` waits for a person at Berbix, and operators may name actions of their own. */
const CONCLUSIVE: { readonly [action: string]: Report['decision'] } = {
  accept: { to: 'verified' },
  reject: { to: 'failed', reason: 'declined' },
};

/** Neither webhook has a time: what a person changed comes after what was decided when the verification finished. */
const RANK_FINISHED = '1';
const RANK_LATEST = '2';

/** The webhook's text once one of our hooks has signed it, and the body is of that hook's kind; throws unauthorized. */
export function openWebhook({ headers, body }: RawRequest, settings: Settings, now: Date): string {
  const signers = signersOf(headers['x-berbix-signature'], body, settings, now);
  if (signers.length === 0) throw unauthorized();
  const text = body.toString('utf8');
  // Without this, the secret of the progress hook could decide.
  const { kind } = readWebhook(text);
  if (kind !== 'unknown' && !signers.includes(kind)) throw unauthorized();
  return text;
}

/** Recognises a webhook by its fields, for none names its kind; never throws. */
export function readWebhook(text: string): Webhook {
  const body = parseObject(text);
  const tellsProgress =
    body?.type !== undefined && body.message !== undefined && body.created_at !== undefined;
  const tellsAction = typeof body?.action === 'string';
  if (body && tellsAction && !tellsProgress) return readAction(body, text);
  if (body && tellsProgress && body.action === undefined) return readProgress(body, text);
  return unknownWebhook(text);
}

/** What an action at Berbix means for the challenge. */
export function actionReport(action: string, customerUid: unknown, rank = RANK_LATEST): Report {
  const word = wordOf(action) ?? UNREADABLE;
  return {
    decision: Object.hasOwn(CONCLUSIVE, word) ? CONCLUSIVE[word] : undefined,
    word,
    reasonCode: null,
    decidedAt: rank,
    challengeId: echoOf(customerUid),
  };
}

/** A 64-bit id as its digits; undefined for anything else. */
export function idOf(value: unknown): string | undefined {
  const text = codeOf(value);
  return text !== null && /^\d{1,20}$/.test(text) ? text : undefined;
}

function signersOf(
  header: string | string[] | undefined,
  body: Buffer,
  settings: Settings,
  now: Date,
): string[] {
  const [, time, signature] = (typeof header === 'string' && HEADER.exec(header)) || [];
  if (time === undefined || signature === undefined) return [];
  if (Math.abs(Math.floor(now.getTime() / 1_000) - Number(time)) > DRIFT_SECONDS) return [];
  return Object.keys(SECRETS).filter((kind) => {
    const secret = settings[SECRETS[kind] ?? ''] ?? '';
    // The secret is both the key and a part of what is signed, as Berbix's libraries do it.
    const signed = Buffer.concat([Buffer.from(`${time},${secret},`), body]);
    return secret !== '' && safeEqual(signature.toLowerCase(), hmacHex(secret, signed));
  });
}

function unauthorized(): AppError {
  return new AppError('unauthorized', 'Invalid signature');
}

/** Finished, or changed afterwards: only the latter has an id of its own. */
function readAction(body: Json, text: string): Webhook {
  const { id, transaction_id, action, customer_uid } = body;
  const sessionId = idOf(transaction_id);
  const hasId = id !== undefined && id !== null;
  const eventId = idOf(id);
  if (typeof action !== 'string' || (hasId && eventId === undefined)) return unknownWebhook(text);
  return hasId
    ? {
        kind: 'status_changed',
        eventKey: keyOf('status_changed', [eventId], text),
        sessionId,
        report: actionReport(action, customer_uid),
      }
    : {
        kind: 'finished',
        eventKey: keyOf('finished', [sessionId ?? transaction_id, action, customer_uid], text),
        sessionId,
        report: actionReport(action, customer_uid, RANK_FINISHED),
      };
}

/** How far the person is. The order is that of `created_at`, not of arrival (Berbix, Verification progress). */
function readProgress(body: Json, text: string): Webhook {
  const { transaction_id, customer_uid, type, message, created_at } = body;
  if ((type !== 'event' && type !== 'error') || typeof message !== 'string') return unknownWebhook(text);
  const sessionId = idOf(transaction_id);
  const word = wordOf(message) ?? UNREADABLE;
  return {
    kind: 'progress',
    eventKey: keyOf('progress', [sessionId ?? transaction_id, type, message, created_at], text),
    sessionId,
    report: {
      decision: undefined,
      word,
      reasonCode: null,
      decidedAt: undefined,
      challengeId: echoOf(customer_uid),
      progress: { type, message: word, at: timeOf(created_at) },
    },
  };
}
