import { timeOf } from './berbix-transactions.ts';
import type { BerbixTransaction, Json } from './berbix-transactions.ts';
import { finishedBody, progressBody, statusChangedBody } from './berbix-webhooks.ts';
import type { HookKind, ProgressType } from './berbix-webhooks.ts';

/** How a run can go, and what the challenge is to be afterwards. */
export const OUTCOMES = {
  accept: 'verified',
  reject: 'failed',
  review: 'in-progress',
  review_then_accept: 'verified',
  review_then_reject: 'failed',
  custom_action: 'in-progress',
  custom_then_accept: 'verified',
  retried_photos: 'verified',
  given_up: 'in-progress',
} as const;
export type Outcome = keyof typeof OUTCOMES;

/** What Berbix decides itself, what a person changes it to afterwards, why, and whether the photos had to be repeated. */
type Script = { decides?: string; changed?: string; flags?: readonly string[]; retries?: boolean };
type Told = { kind: HookKind; body: Json };
type Step = readonly [type: ProgressType, message: string];

/** An action that only this customer's configuration knows. */
const CUSTOM_ACTION = 'escalate-to-fraud-team';

const SCRIPTS: { readonly [outcome in Outcome]: Script } = {
  accept: { decides: 'accept' },
  reject: { decides: 'reject', flags: ['id_expired'] },
  review: { decides: 'review', flags: ['id_type_unsupported'] },
  review_then_accept: { decides: 'review', changed: 'accept', flags: ['id_type_unsupported'] },
  review_then_reject: { decides: 'review', changed: 'reject', flags: ['id_type_unsupported'] },
  custom_action: { decides: CUSTOM_ACTION, flags: ['id_under_21'] },
  custom_then_accept: { decides: CUSTOM_ACTION, changed: 'accept', flags: ['id_under_21'] },
  retried_photos: { decides: 'accept', retries: true },
  given_up: {},
};

const events = (...messages: string[]): Step[] => messages.map((message) => ['event', message] as const);

const STARTED = events(
  'SESSION_STARTED',
  'PHOTO_ID_TYPE_PICK_STARTED',
  'PHOTO_ID_TYPE_PICK_COUNTRY_PICKED',
  'PHOTO_ID_TYPE_PICK_FINISH',
  'PHOTO_ID_FRONT_STARTED',
);
const RETRIED: Step[] = [
  ['error', 'text_unreadable'],
  ...events('PHOTO_ID_FRONT_STARTED'),
  ['error', 'no_face_on_id_detected'],
  ...events('PHOTO_ID_FRONT_STARTED'),
];
const PHOTOGRAPHED = events(
  'UPLOAD_PHOTO_ID_FRONT_SUCCESS',
  'PHOTO_ID_BACK_STARTED',
  'UPLOAD_PHOTO_ID_BACK_SUCCESS',
  'SELFIE_VERIFICATION_STARTED',
);
const LAST_STEP = 'UPLOAD_SELFIE_FINISH';
const FINISHED = 'SESSION_FINISHED';

/** Closer together than a millisecond, so that only all nine digits tell their order. */
const STEP_NS = 250_311;

/** Lets a run go this way: the transaction is as it will be in the end; returns what Berbix tells of it, in its order. */
export function run(transaction: BerbixTransaction, outcome: Outcome, now: Date): Told[] {
  const { decides, changed, flags = [], retries = false } = SCRIPTS[outcome];
  const steps = [...STARTED, ...(retries ? RETRIED : []), ...(decides ? PHOTOGRAPHED : [])];
  const progress = (type: ProgressType, message: string, place: number): Told => ({
    kind: 'progress',
    body: progressBody(transaction, type, message, timeOf(now, place * STEP_NS)),
  });
  const told = steps.map(([type, message], place) => progress(type, message, place));
  if (!decides) return told;

  const after = steps.length;
  transaction.action = changed ?? decides;
  transaction.flags = flags;
  transaction.completedAt = timeOf(now, (after + 1) * STEP_NS);
  told.push(
    // The last step is worked on longer: the end is sent after it, with an earlier time (Berbix, Verification progress).
    progress('event', LAST_STEP, after + 1),
    progress('event', FINISHED, after),
    { kind: 'finished', body: finishedBody(transaction, decides) },
  );
  if (changed) told.push({ kind: 'status_changed', body: statusChangedBody(transaction, changed) });
  return told;
}
