import { expect, test } from '@jest/globals';
import type { KnownBlock } from '@slack/web-api';
import fc from 'fast-check';
import type { View } from '../../src/slack/cards.ts';
import { bothOf, DEVICE, LANGUAGES, NAMES, shownIn, textsOf } from './cards-gallery.ts';

const MARKUP = [
  ...['<!channel>', '<!here>', '<!everyone>', '<!subteam^S01|all>', '<@U0EVE>', '<#C01|general>'],
  ...['<https://evil.example|click here>', 'https://evil.example', '@channel', '@here', '*bold*', '_it_'],
  ...['~no~', '`code`', '```\ncode\n```', '> quote', ':rotating_light:', '&lt;!channel&gt;', '|', '^', '\\'],
];
const written = (maxLength: number) =>
  fc.oneof(
    fc.constantFrom(...MARKUP),
    fc
      .array(fc.oneof(fc.constantFrom(...MARKUP), fc.string({ unit: 'grapheme' })), { maxLength: 20 })
      .map(cut),
    fc.constantFrom('a', '😀', '&', '<').map((one) => one.repeat(maxLength)),
  );
/** As long as what others wrote may be, in characters. */
const cut = (parts: string[]) => Array.from(parts.join('')).slice(0, 80).join('').trim() || 'x';

const others = fc.record({
  context: written(2_000),
  ticket: written(100),
  target_response: written(500),
  incident_comment: written(500).map((text) => `!${text}`.slice(0, 500)),
  requester_id: written(255),
  tenant: written(80),
  device: written(60),
});
type Others = typeof others extends fc.Arbitrary<infer T> ? T : never;
const HARMLESS: Others = {
  ...{ context: 'a', ticket: 'a', target_response: 'a', incident_comment: 'b', requester_id: 'a' },
  ...{ tenant: 'a', device: 'a' },
};

function everything(
  { tenant, device, ...challenge }: Others,
  check: (view: View, name: string, index: number) => void,
): void {
  const facts = Object.fromEntries(Object.keys(DEVICE).map((name) => [name, device]));
  for (const language of LANGUAGES)
    for (const state of NAMES) {
      const shown = shownIn(state, {
        ...{ language, tenant },
        challenge: { ...challenge, device_fingerprint: facts },
      });
      bothOf(shown).forEach((view, index) => check(view, `${language} ${state}`, index));
    }
}

/** The message without what is shown as it stands; a text of several pieces counts once. */
function frameOf({ text, blocks }: View): string[] {
  const bare = blocks.map((block) =>
    JSON.stringify(block, (_, value: unknown) => (isVerbatim(value) ? { ...value, text: '' } : value)),
  );
  return [text, ...bare.filter((block, at) => block !== bare[at - 1])];
}

function isVerbatim(value: unknown): value is object {
  const { type, emoji } = (value ?? {}) as { type?: unknown; emoji?: unknown };
  return type === 'plain_text' && emoji === false;
}

test('what others wrote changes nothing but what is shown as it stands', () => {
  const frames: string[][] = [];
  everything(HARMLESS, (view) => frames.push(frameOf(view)));
  fc.assert(
    fc.property(others, (hostile) => {
      const found: string[][] = [];
      everything(hostile, (view) => found.push(frameOf(view)));
      expect(found).toEqual(frames);
    }),
  );
});

test('the context is shown whole, character for character', () => {
  fc.assert(
    fc.property(written(2_000), (context) => {
      everything({ ...HARMLESS, context }, ({ blocks }) => {
        const all = textsOf(blocks).filter(isVerbatim);
        expect(all.map(({ text }) => text).join('')).toContain(context);
      });
    }),
    { numRuns: 20 },
  );
});

test('2,000 ordinary characters of context are one paragraph', () => {
  const [card] = bothOf(shownIn('initiated', { challenge: { context: 'ä'.repeat(2_000) } }));
  expect(textsOf(card?.blocks ?? []).filter(isVerbatim)).toHaveLength(1);
});

test('no markup of our own but mentions of the two people and times', () => {
  everything(HARMLESS, ({ text, blocks }, name) => {
    const read = textsOf(blocks).filter(({ type }) => type === 'mrkdwn');
    for (const one of [text, ...read.map((element) => element.text)])
      expect([name, one.replaceAll(/<@U0(ADA|GRACE)>|<!date\^\d+\^[^|<>]+\|[^|<>]+>/g, '')]).toEqual([
        name,
        expect.not.stringMatching(/[<>&@#]|https?:/),
      ]);
  });
});

test('every message stays within Slack’s limits, by the most that Slack may count', () => {
  fc.assert(
    fc.property(others, (hostile) => {
      everything(hostile, ({ text, blocks }, name) => {
        isIn(text.length, 150, `${name}: text`);
        isIn(blocks.length, 50, `${name}: blocks`);
        for (const block of blocks) checkLimits(block);
      });
    }),
  );
});

function checkLimits(block: KnownBlock): void {
  switch (block.type) {
    case 'header':
      return isWithin(block.text, 150);
    case 'section':
      if (block.text) isWithin(block.text, 3_000);
      isIn(block.fields?.length ?? 1, 10, 'fields');
      return block.fields?.forEach((field) => isWithin(field, 2_000));
    case 'context':
      isIn(block.elements.length, 10, 'elements');
      return textsOf([block]).forEach((one) => isWithin(one, 2_000));
    case 'input':
      isWithin(block.label, 2_000);
      return isWithin(block.hint, 2_000);
    case 'actions':
      for (const element of block.elements) {
        if (element.type !== 'button') throw new Error(`there is a ${element.type}`);
        isWithin(element.text, 75);
        isWithin({ text: element.value ?? '' }, 2_000);
        isWithin({ text: element.url ?? '-' }, 3_000);
        const { title, text, confirm, deny } = element.confirm ?? {};
        if (!element.confirm) continue;
        isWithin(title, 100);
        isWithin(text, 300);
        isWithin(confirm, 30);
        isWithin(deny, 30);
      }
      return;
    default:
      throw new Error(`there is a ${block.type}`);
  }
}

function isWithin(found: { text: string } | undefined, max: number): void {
  const kept = found?.text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') ?? '';
  isIn(kept.length, max, kept);
}

/** Without `expect`, which would be called a hundred thousand times. */
function isIn(length: number, max: number, what: string): void {
  if (length < 1 || length > max) throw new Error(`${length} instead of 1 to ${max}: ${what}`);
}
