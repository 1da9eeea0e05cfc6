import type {
  ContextBlock,
  HeaderBlock,
  MrkdwnElement,
  PlainTextElement,
  SectionBlock,
} from '@slack/web-api';
import { timeIn } from '../web/words.ts';

export type Text = PlainTextElement | MrkdwnElement;
/** A name and what it is. */
export type Row = [name: string, value: Text];

/** What a section's text may have at most. */
const MAX_TEXT = 3_000;
/** Five rows of a name and what it is. */
const MAX_FIELDS = 10;
/** Slack does not say whether it counts these as they stand or as it keeps them. */
const KEPT: { [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** Our own words, with Slack's markup: nothing that anybody else wrote may be in them. */
export function ours(text: string): MrkdwnElement {
  return { type: 'mrkdwn', text };
}

/** Our own words where Slack takes no markup, but emoji. */
export function plain(text: string): PlainTextElement {
  return { type: 'plain_text', text, emoji: true };
}

/** What somebody else wrote: shown as it stands, and never read for mentions, links or emoji. */
export function theirs(text: string): PlainTextElement {
  return { type: 'plain_text', text, emoji: false };
}

/** A time as the reader's own Slack writes it; in UTC where that does not know how. */
export function time(language: 'en' | 'de', at: Date): MrkdwnElement {
  const seconds = Math.floor(at.getTime() / 1_000);
  return ours(`<!date^${seconds}^{date_short_pretty} {time}|${timeIn(language, at)} UTC>`);
}

/** What a message begins with. */
export function header(text: string): HeaderBlock {
  return { type: 'header', text: plain(text) };
}

/** A paragraph. */
export function section(text: Text): SectionBlock {
  return { type: 'section', text };
}

/** A name, and under it what somebody else wrote, however long; nothing if they wrote nothing. */
export function quote(name: string, text: string | null): SectionBlock[] {
  if (!text) return [];
  return [section(ours(`*${name}*`)), ...piecesOf(text).map((piece) => section(theirs(piece)))];
}

/** Names and what they are, side by side. */
export function table(rows: Row[]): SectionBlock[] {
  const fields = rows.flatMap(([name, value]) => [ours(`*${name}*`), value]);
  const sections: SectionBlock[] = [];
  for (let at = 0; at < fields.length; at += MAX_FIELDS)
    sections.push({ type: 'section', fields: fields.slice(at, at + MAX_FIELDS) });
  return sections;
}

/** A line in small print; nothing for no texts. */
export function smallPrint(texts: Text[]): ContextBlock[] {
  return texts.length > 0 ? [{ type: 'context', elements: texts }] : [];
}

/** The text in as many pieces as it takes, by the most that Slack may count of it; 2,000 ordinary characters are one. */
function piecesOf(text: string): string[] {
  const pieces = [''];
  let room = MAX_TEXT;
  for (const character of text) {
    const { length } = KEPT[character] ?? character;
    if (length > room) {
      pieces.push('');
      room = MAX_TEXT;
    }
    pieces[pieces.length - 1] += character;
    room -= length;
  }
  return pieces;
}
