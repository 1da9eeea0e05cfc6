import type { KnownBlock } from '@slack/web-api';
import type { Challenge } from '../../src/challenges/challenge.ts';
import { cardOf, noticeOf } from '../../src/slack/cards.ts';
import type { Shown, View } from '../../src/slack/cards.ts';

export const LINK =
  'https://id.example.com/challenge/start/01a1f80c-66f3-757c-8473-8105b057d432?token=Zm9vYmFy';
const DEADLINE = new Date('2026-03-04T09:44:00Z');
const END = new Date('2026-03-04T09:35:00Z');
const LATER = new Date('2026-03-04T10:00:00Z');

export const DEVICE = {
  ...{ browser: 'Chrome 140.0', os: 'Windows 11', screen: '1920x1080', timezone: 'Europe/Berlin' },
  ...{ language: 'de-AT', ip: '203.0.113.1', user_agent: 'Mozilla/5.0' },
};
const ended = { completed_at: END };
const failed = (failure_reason: string): Partial<Challenge> => ({
  ...ended,
  ...{ status: 'failed', failure_reason },
});

/** Every state that looks different, by name, as what is written into the row. */
export const STATES = {
  initiated: {},
  'in-progress': { status: 'in-progress', started_at: END, browser_hash: 'a browser' },
  verified: { ...ended, status: 'verified', auth_method: 'oidc', valid_until: LATER },
  declined: { ...failed('declined'), auth_method: 'veriff' },
  'somebody else': { ...failed('subject_mismatch'), auth_method: 'saml' },
  canceled: failed('canceled'),
  undeliverable: failed('undeliverable'),
  reported: { ...failed('incident_reported'), incident_reported_at: END },
  expired: { ...ended, status: 'expired' },
  'expired at the provider': { ...ended, status: 'expired', failure_reason: 'provider_expired' },
  disputed: {
    ...ended,
    ...{ status: 'verified', auth_method: 'oidc', disputed: true, incident_reported_at: LATER },
  },
} satisfies { [name: string]: Partial<Challenge> };
export type StateName = keyof typeof STATES;

export const OPEN: readonly StateName[] = ['initiated', 'in-progress'];
export const NAMES = Object.keys(STATES) as StateName[];
export const ENDED = NAMES.filter((name) => !OPEN.includes(name));
export const LANGUAGES = ['en', 'de'] as const;

/** What a message shows in this state, with as little of what others wrote as there can be. */
export function shownIn(
  state: StateName,
  wish: Partial<Omit<Shown, 'challenge'>> & { challenge?: Partial<Challenge> } = {},
): Shown {
  const { challenge, ...rest } = wish;
  return {
    ...{ target: 'U0ADA', requester: 'U0GRACE', isAutomatic: false, tenant: null, language: 'en' },
    wasAsked: true,
    link: OPEN.includes(state) ? LINK : undefined,
    ...rest,
    challenge: { ...rowOf(), ...STATES[state], ...challenge },
  };
}

/** Both messages. */
export function bothOf(shown: Shown): [View, View] {
  return [cardOf(shown), noticeOf(shown)];
}

/** Every object of a message that Slack reads text from. */
export function textsOf(blocks: readonly KnownBlock[]): { type: string; text: string; emoji?: boolean }[] {
  const found: ReturnType<typeof textsOf> = [];
  const gather = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('text' in value && typeof value.text === 'string') found.push(value as (typeof found)[number]);
    for (const inner of Object.values(value)) gather(inner);
  };
  gather(blocks);
  return found;
}

/** All words of a message, a line each. */
export function wordsOf({ text, blocks }: View): string {
  return [text, ...textsOf(blocks).map((one) => one.text)].join('\n');
}

function rowOf(): Challenge {
  const row: Partial<Challenge> = {
    id: '01a1f80c-66f3-757c-8473-8105b057d432',
    mode: 'live',
    ...{ status: 'initiated', provider: 'oidc', requester_id: 'U0GRACE', verification_code: '47' },
    ...{ context: null, ticket: null, target_response: null, incident_comment: null },
    ...{ expires_at: DEADLINE, completed_at: null, valid_until: null, incident_reported_at: null },
    ...{ disputed: false, failure_reason: null, auth_method: null, device_fingerprint: null },
  };
  return row as Challenge;
}
