import type { ActionsBlock, Button, InputBlock } from '@slack/web-api';
import { isTerminal } from '../challenges/challenge.ts';
import { SANDBOX } from '../challenges/choice.ts';
import { MAX_TARGET_RESPONSE } from '../challenges/input.ts';
import { header, ours, plain, section } from './blocks.ts';
import { code, deadline, device, ending, mention, origin, reason, reference, subject } from './parts.ts';
import { endOf } from './shown.ts';
import type { End, Shown, View } from './shown.ts';
import { TEXTS } from './texts/index.ts';
import type { Texts } from './texts/index.ts';

/** The `action_id`s and `block_id` of a card, as they come back when somebody presses. */
export const ACTIONS = { verify: 'verify', report: 'report', context: 'context' } as const;
export const CONTEXT_BLOCK = 'context';

const EMOJI: Record<End, string> = {
  verified: ':white_check_mark:',
  failed: ':x:',
  undeliverable: ':x:',
  expired: ':hourglass:',
  canceled: ':no_entry_sign:',
  incident: ':rotating_light:',
  disputed: ':rotating_light:',
};

/**
 * The message that asks the target. It does not change while the challenge is open, so that nothing the person is
 * writing is lost.
 */
export function cardOf(shown: Shown): View {
  return isTerminal(shown.challenge.status) ? ended(shown) : open(shown);
}

function open(shown: Shown): View {
  const { challenge, requester, isAutomatic, language } = shown;
  const texts = TEXTS[language];
  const { card } = texts;
  const asker = askerOf(shown);
  const hint = isAutomatic ? card.codeAlone : card.codeOf(mention(requester));
  return {
    text: card.asks(asker),
    blocks: [
      header(`:lock: ${card.title}`),
      ...origin(shown),
      section(ours(card.lead(asker))),
      // Before what whoever asked wrote, who could write other digits.
      code(challenge, texts.code, hint),
      ...subject(shown, [deadline(shown)]),
      section(ours(card.next[wayOf(challenge.provider)])),
      contextInput(texts),
      buttons(shown),
      ...reference(shown),
    ],
  };
}

function ended(shown: Shown): View {
  const { challenge, requester, isAutomatic, language } = shown;
  const { card, whoever, facts } = TEXTS[language];
  const end = endOf(challenge);
  const { title, text } = card.ends[end];
  const told = [reason(shown), text(isAutomatic ? whoever : mention(requester))];
  return {
    text: title,
    blocks: [
      header(`${EMOJI[end]} ${title}`),
      ...origin(shown),
      section(ours(told.filter(Boolean).join(' '))),
      ...subject(shown, [[facts.asker, ours(askerOf(shown))], ...ending(shown)]),
      ...device(shown),
      // Not only as long as it may be reported: nothing would come by to take the button away.
      ...(end === 'verified' ? [section(ours(card.mayReport)), buttons(shown)] : []),
      ...reference(shown),
    ],
  };
}

function askerOf({ requester, isAutomatic, language }: Shown): string {
  return isAutomatic ? TEXTS[language].automatic(mention(requester)) : mention(requester);
}

function contextInput({ card }: Texts): InputBlock {
  return {
    type: 'input',
    block_id: CONTEXT_BLOCK,
    optional: true,
    label: plain(card.context),
    hint: plain(card.contextHint),
    element: {
      type: 'plain_text_input',
      action_id: ACTIONS.context,
      multiline: true,
      max_length: MAX_TARGET_RESPONSE,
    },
  };
}

function buttons({ challenge, link, language }: Shown): ActionsBlock {
  const { card } = TEXTS[language];
  const value = challenge.id;
  const verify: Button = {
    ...{ type: 'button', action_id: ACTIONS.verify, value, style: 'primary', text: plain(card.verify) },
    ...(link === undefined ? {} : { url: link }),
  };
  const { title, go, back, open: ends, verified } = card.confirm;
  const isVerified = challenge.status === 'verified';
  const report: Button = {
    ...{ type: 'button', action_id: ACTIONS.report, value, style: 'danger', text: plain(card.report) },
    confirm: {
      ...{ title: plain(title), text: plain(isVerified ? verified : ends), style: 'danger' },
      ...{ confirm: plain(go), deny: plain(back) },
    },
  };
  return { type: 'actions', elements: isVerified || link === undefined ? [report] : [verify, report] };
}

/** What the person will have to do. */
function wayOf(provider: string | null): keyof Texts['card']['next'] {
  if (provider === 'oidc' || provider === 'saml') return 'signIn';
  return provider === null || provider === SANDBOX ? 'other' : 'document';
}
