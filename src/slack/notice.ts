import type { KnownBlock } from '@slack/web-api';
import { isTerminal } from '../challenges/challenge.ts';
import { SANDBOX } from '../challenges/choice.ts';
import { incidentComment } from '../challenges/written.ts';
import { header, ours, plain, quote, section, table, time } from './blocks.ts';
import type { Row } from './blocks.ts';
import { code, deadline, device, ending, mention, origin, reason, reference, subject } from './parts.ts';
import { stateOf } from './shown.ts';
import type { Shown, State, View } from './shown.ts';
import { TEXTS } from './texts/index.ts';

const EMOJI: Record<State, string> = {
  waiting: ':hourglass_flowing_sand:',
  started: ':eyes:',
  verified: ':white_check_mark:',
  failed: ':x:',
  undeliverable: ':warning:',
  expired: ':hourglass:',
  unasked: ':warning:',
  canceled: ':no_entry_sign:',
  incident: ':rotating_light:',
  disputed: ':rotating_light:',
};

/** The message that tells whoever asked. */
export function noticeOf(shown: Shown): View {
  const { challenge, target, language } = shown;
  const { notice } = TEXTS[language];
  const state = stateOf(shown);
  const isPlayed = state === 'verified' && challenge.auth_method === SANDBOX;
  const { title, text } = isPlayed ? notice.played : notice.states[state];
  const told = [reason(shown), text(mention(target))];
  return {
    text: `${title}: ${mention(target)}`,
    blocks: [
      header(`${EMOJI[state]} ${title}`),
      ...origin(shown),
      section(ours(told.filter(Boolean).join(' '))),
      ...(isTerminal(challenge.status) ? result(shown) : question(shown)),
      ...reference(shown),
    ],
  };
}

function question(shown: Shown): KnownBlock[] {
  const texts = TEXTS[shown.language];
  return [code(shown.challenge, texts.code, texts.notice.codeHint), ...subject(shown, [deadline(shown)])];
}

function result(shown: Shown): KnownBlock[] {
  const { target_response, incident_comment } = shown.challenge;
  const { facts } = TEXTS[shown.language];
  // What is written into a card before it is reported is both, the comment in one line.
  const isBoth = target_response !== null && incidentComment(target_response) === incident_comment;
  return [
    ...quote(facts.comment, incident_comment),
    ...quote(facts.response, isBoth ? null : target_response),
    ...table([...method(shown), ...ending(shown), ...relyUntil(shown)]),
    ...subject(shown),
    ...device(shown),
  ];
}

function method({ challenge, language }: Shown): Row[] {
  const { facts, methods } = TEXTS[language];
  const { status, auth_method } = challenge;
  // Whatever else it was done with proved nothing.
  if (status !== 'verified' || auth_method === null) return [];
  return [[facts.method, plain(methods[auth_method as keyof typeof methods])]];
}

function relyUntil({ challenge, language }: Shown): Row[] {
  const { valid_until } = challenge;
  return valid_until ? [[TEXTS[language].facts.relyUntil, time(language, valid_until)]] : [];
}
