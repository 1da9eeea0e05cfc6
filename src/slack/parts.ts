import type { KnownBlock } from '@slack/web-api';
import type { Challenge } from '../challenges/challenge.ts';
import type { DeviceFacts } from '../challenges/device.ts';
import { DEFAULT_REQUESTER } from '../challenges/input.ts';
import { plain, quote, section, smallPrint, table, theirs, time, ours } from './blocks.ts';
import type { Row, Text } from './blocks.ts';
import type { Frame, Shown } from './shown.ts';
import { TEXTS } from './texts/index.ts';
import { whyOf } from './why.ts';

const DEVICE_FACTS = ['browser', 'os', 'screen', 'timezone', 'language', 'ip'] as const;

/** The person with this id, as Slack shows them to whoever reads it. */
export function mention(user: string): string {
  return `<@${user}>`;
}

/** Whose server it is, and that nothing here is real. */
export function origin({ challenge, tenant, language }: Frame): KnownBlock[] {
  const texts = TEXTS[language];
  const said: Text[] = tenant === null ? [] : [theirs(texts.of(tenant))];
  if (challenge.mode === 'test') said.push(ours(`*${texts.testMode}*`));
  return smallPrint(said);
}

/** What it is about, in the words of whoever asked; `more` goes with it. */
export function subject({ challenge, requester, language }: Shown, more: Row[] = []): KnownBlock[] {
  const { facts } = TEXTS[language];
  const { context, ticket, requester_id } = challenge;
  const rows = [...more];
  if (ticket) rows.push([facts.ticket, theirs(ticket)]);
  // A system may have asked in its own name, or in that of somebody who is not in Slack.
  if (requester_id !== requester && requester_id !== DEFAULT_REQUESTER)
    rows.push([facts.requester, theirs(requester_id)]);
  return [...quote(facts.context, context), ...table(rows)];
}

/** Until when it can be answered. */
export function deadline({ challenge, language }: Shown): Row {
  return [TEXTS[language].facts.deadline, time(language, challenge.expires_at)];
}

/** When it ended, and when it was reported after that. */
export function ending({ challenge, language }: Frame): Row[] {
  const { facts } = TEXTS[language];
  const { status, disputed, completed_at, incident_reported_at } = challenge;
  const rows: Row[] = [];
  if (completed_at)
    rows.push([status === 'verified' ? facts.verified : facts.ended, time(language, completed_at)]);
  if (disputed && incident_reported_at) rows.push([facts.reported, time(language, incident_reported_at)]);
  return rows;
}

/** Why it ended as it did, as a sentence; nothing where the end says all. */
export function reason({ challenge, language }: Shown): string | undefined {
  const key = whyOf(challenge.failure_reason);
  return key && TEXTS[language].why[key];
}

/** What the browser told about itself; nothing until it has. */
export function device({ challenge, language }: Shown): KnownBlock[] {
  const texts = TEXTS[language];
  const facts = challenge.device_fingerprint as DeviceFacts | null;
  const lines = DEVICE_FACTS.flatMap((name) =>
    facts?.[name] ? [`${texts.device[name]}: ${facts[name]}`] : [],
  );
  return quote(texts.facts.device, lines.join('\n'));
}

/** The two digits that both sides see, and what they are for. */
export function code({ verification_code }: Challenge, name: string, hint: string): KnownBlock {
  return section(ours(`*${name} ${verification_code}*\n${hint}`));
}

/** What to tell a help desk. */
export function reference({ challenge, language }: Frame): KnownBlock[] {
  return smallPrint([plain(`${TEXTS[language].reference} ${challenge.id}`)]);
}
