import { isLonger } from '../challenges/text.ts';
import { plainText } from '../challenges/written.ts';

/** Who is to be asked, as the person who typed the command named them. */
export type Named = { user: string } | { email: string };
/** What a command asks for, or (`usage`) what to tell the person instead. */
export type Asked = { target: Named; reason: string | null } | { usage: string };

const MAX_REASON = 2_000;

const HOW = [
  'Write `/challenge @username [reason]`: the person is asked to confirm that it is them, and you get a message with how it goes.',
  'Pick the person from the list that Slack shows while you type, or write their e-mail address.',
].join('\n');
const WHO = `I cannot tell who is meant.\n${HOW}`;
const PLAIN_NAME = [
  'I cannot tell who is meant: Slack sent a name only. Pick the person from the list that it shows while you type.',
  'If you did, whoever set up the app must switch on "Escape channels, users, and links" for /challenge.',
].join('\n');
const TOO_MANY = `I can ask one person at a time.\n${HOW}`;
const TOO_LONG = `Nothing was created: the reason must have at most ${MAX_REASON.toLocaleString('en')} characters. Shorten it and try again.`;

// docs: https://docs.slack.dev/interactivity/implementing-slash-commands, "Escaping users, channels and links"
const MENTION = /^<@([UW][A-Z0-9]{1,30})(?:\|[^>]*)?>/;
const MAIL_LINK = /^<mailto:([^\s<>@|]+@[^\s<>@|]+)(?:\|[^>]*)?>/;
const MAIL = /^[^\s<>@|,;:]+@[^\s<>@|,;:]+/;
const BETWEEN = /^(?:[\s,;+]|&amp;|and\s)*/;
const ESCAPED: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>' };

/** The text of a `/challenge` to what it asks for. */
export function parseCommand(text: string): Asked {
  const written = text.trim();
  if (written === '' || written.toLowerCase() === 'help') return { usage: HOW };
  const found = readPerson(written);
  if (!found) return { usage: written.startsWith('@') ? PLAIN_NAME : WHO };
  if (readPerson(found.rest.replace(BETWEEN, ''))) return { usage: TOO_MANY };
  // Cleaned, not refused: whoever pasted it does not know what is in there.
  const reason = plainText(readable(found.rest));
  if (isLonger(reason, MAX_REASON)) return { usage: TOO_LONG };
  return { target: found.target, reason: reason || null };
}

/** Text that nothing in is a mention, a link or a channel to Slack. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The person that the text begins with, and what follows. */
function readPerson(text: string): { target: Named; rest: string } | undefined {
  const mention = MENTION.exec(text);
  if (mention) return { target: { user: mention[1]! }, rest: text.slice(mention[0].length) };
  const mail = MAIL_LINK.exec(text) ?? MAIL.exec(text);
  if (!mail) return undefined;
  return { target: { email: unescaped(mail[1] ?? mail[0]) }, rest: text.slice(mail[0].length) };
}

/** As the person wrote it, without Slack's marks for people, channels and links. */
function readable(text: string): string {
  return unescaped(text.replaceAll(/<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>/g, withoutMarks));
}

function withoutMarks(_whole: string, sign: string, target: string, label = ''): string {
  if (sign === '!') return label || `@${target.replace(/^subteam\^/, '')}`;
  if (sign !== '') return `${sign}${label || target}`;
  const plain = target.replace(/^mailto:/, '');
  const isSame = ['', plain, plain.replace(/^https?:\/\//, '')].includes(label);
  return isSame ? plain : `${label} (${plain})`;
}

function unescaped(text: string): string {
  return text.replaceAll(/&(?:amp|lt|gt);/g, (mark) => ESCAPED[mark]!);
}
