import type { KnownBlock } from '@slack/web-api';
import type { Challenge } from '../challenges/challenge.ts';

/** What a message consists of: `text` for notifications and screen readers, `blocks` for all else. */
export type View = { text: string; blocks: KnownBlock[] };
/** What a message shows: the challenge as it stands, and who is who in Slack. */
export type Shown = {
  challenge: Challenge;
  /** by their ids in Slack */
  target: string;
  requester: string;
  /** nobody asked but the app itself */
  isAutomatic: boolean;
  /** whose server it is; null: nobody has named it */
  tenant: string | null;
  /** the person's link, as long as it is of use */
  link: string | undefined;
  language: 'en' | 'de';
};

/** The `action_id`s and `block_id` of a card, as they come back when somebody presses. */
export const ACTIONS = { verify: 'verify', report: 'report', context: 'context' } as const;
export const CONTEXT_BLOCK = 'context';

/** The message that asks the target. */
export function cardOf({ challenge }: Shown): View {
  return { text: `Is this you? ${challenge.status}`, blocks: [] };
}

/** The message that tells whoever asked. */
export function noticeOf({ challenge }: Shown): View {
  return { text: `It is ${challenge.status}`, blocks: [] };
}
