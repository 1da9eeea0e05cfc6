import type { KnownBlock } from '@slack/web-api';
import { CANCELED } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { INCIDENT_REPORTED } from '../challenges/settle.ts';
import { UNDELIVERABLE } from '../challenges/undeliverable.ts';

/** What a message consists of: `text` for notifications and screen readers, `blocks` for all else. */
export type View = { text: string; blocks: KnownBlock[] };
/** What every message shows, with nobody named in it. */
export type Frame = {
  challenge: Challenge;
  /** whose server it is; null: nobody has named it */
  tenant: string | null;
  language: 'en' | 'de';
};
/** What a message shows: the challenge as it stands, and who is who in Slack. */
export type Shown = Frame & {
  /** by their ids in Slack */
  target: string;
  requester: string;
  /** nobody asked but the app itself */
  isAutomatic: boolean;
  /** the person's link, as long as it is of use */
  link: string | undefined;
  /** the person has, or may have, heard of it */
  wasAsked: boolean;
};
/** How a challenge may have ended, as people tell the ends apart. */
export type End =
  | 'verified'
  | 'failed'
  | 'expired'
  | 'canceled'
  | 'undeliverable'
  // the person says that it was not them: before the end, or after `verified`
  | 'incident'
  | 'disputed';
/** The same with what comes before the end, and with a deadline that passed while Slack was away. */
export type State = 'waiting' | 'started' | 'unasked' | End;

/** How the challenge stands, as people tell it apart. */
export function stateOf({ challenge, wasAsked }: Pick<Shown, 'challenge' | 'wasAsked'>): State {
  if (challenge.status === 'expired' && !wasAsked) return 'unasked';
  if (challenge.status === 'initiated') return 'waiting';
  if (challenge.status === 'in-progress') return 'started';
  return endOf(challenge);
}

/** How a challenge that has ended ended. */
export function endOf({ status, disputed, failure_reason }: Challenge): End {
  if (disputed) return 'disputed';
  if (status === 'verified' || status === 'expired') return status;
  return FAILURES.get(failure_reason) ?? 'failed';
}

const FAILURES = new Map<string | null, End>([
  [INCIDENT_REPORTED, 'incident'],
  [CANCELED, 'canceled'],
  [UNDELIVERABLE, 'undeliverable'],
]);
