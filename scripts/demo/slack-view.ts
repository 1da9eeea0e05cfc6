import type { KnownBlock } from '@slack/web-api';
import type { Seen } from '../../test/support/slack.ts';

type Text = { type: string; text: string };
/** Who is who, by their ids. */
type Names = { [user: string]: string };

const MENTION = /<@(\w+)>/g;
const TIME = /<!date\^\d+\^[^|]*\|([^>]*)>/g;
const BOLD = /\*([^*]+)\*/g;

/** A message as people read it, a line each. */
export function linesOf({ blocks }: Pick<Seen, 'blocks'>, names: Names): string[] {
  return blocks.flatMap((block) => linesIn(block, names)).map((line) => `| ${line}`);
}

function linesIn(block: KnownBlock, names: Names): string[] {
  const read = (found: Text | undefined) => (found ? wordsIn(found, names) : '');
  switch (block.type) {
    case 'header':
      return [
        read(block.text)
          .toUpperCase()
          .replace(/^:\w+: /, ''),
        '',
      ];
    case 'section':
      return block.fields ? rowsOf(block.fields.map(read)) : read(block.text).split('\n');
    case 'context':
      return [block.elements.map((element) => read(element as Text)).join(' - ')];
    case 'input':
      return [`${read(block.label)} (optional): [                    ]`];
    case 'actions':
      return [
        block.elements
          .map((element) => `[ ${read('text' in element ? (element.text as Text) : undefined)} ]`)
          .join('  '),
      ];
    default:
      return [];
  }
}

/** Names and what they are stand side by side. */
function rowsOf(fields: string[]): string[] {
  return fields.flatMap((field, at) => (at % 2 === 0 ? [`${field}: ${fields[at + 1] ?? ''}`] : []));
}

function wordsIn({ type, text }: Text, names: Names): string {
  if (type !== 'mrkdwn') return text;
  return text
    .replaceAll(MENTION, (_, user: string) => `@${names[user] ?? user}`)
    .replaceAll(TIME, '$1')
    .replaceAll(BOLD, '$1');
}
