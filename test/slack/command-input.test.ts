import { expect, test } from '@jest/globals';
import { escaped, parseCommand } from '../../src/slack/command-input.ts';

const ada = { user: 'U012AB3CD' };

function usageOf(text: string): string {
  const asked = parseCommand(text);
  if (!('usage' in asked)) throw new Error(`understood: ${JSON.stringify(asked)}`);
  return asked.usage;
}

test.each([
  ['<@U012AB3CD|ada> Password reset', ada, 'Password reset'],
  ['<@U012AB3CD> Password reset', ada, 'Password reset'],
  ['  <@W012AB3CD|ada|x>   ', { user: 'W012AB3CD' }, null],
  ['<@U012AB3CD>\nfirst line\nsecond line', ada, 'first line\nsecond line'],
  ['<@U012AB3CD>: reset', ada, ': reset'],
  ['<mailto:ada@example.com|ada@example.com> reset', { email: 'ada@example.com' }, 'reset'],
  ['ada@example.com reset', { email: 'ada@example.com' }, 'reset'],
  ['ada@example.com', { email: 'ada@example.com' }, null],
  ['<mailto:r&amp;d@example.com|r&amp;d@example.com>', { email: 'r&d@example.com' }, null],
])('%j names one person, and why', (text, target, reason) => {
  expect(parseCommand(text)).toEqual({ target, reason });
});

test('a link’s address counts for whom it names, and not what it says', () => {
  expect(parseCommand('<mailto:ada@example.com|grace@example.com>')).toMatchObject({
    target: { email: 'ada@example.com' },
  });
});

test('nothing, and a cry for help, is answered with how to ask', () => {
  for (const text of ['', '   ', 'help', ' HELP ', '\n'])
    expect(usageOf(text)).toMatch(/^Write `\/challenge @username \[reason\]`/);
});

test('a name that Slack did not recognise is no person: nobody is guessed', () => {
  for (const text of ['@ada reset', '@ada', '@ada@example.com'])
    expect(usageOf(text)).toMatch(/Pick the person from the list(.|\n)*"Escape channels, users, and links"/);
  for (const text of ['ada reset', '<#C012AB3CD|general> reset', '<!subteam^S012AB3CD|@it>', '<!channel>'])
    expect(usageOf(text)).toMatch(/^I cannot tell who is meant/);
  for (const text of ['&lt;@U012AB3CD&gt; reset', '<@u012ab3cd>', '<@>', 'reset for <@U012AB3CD>'])
    expect(usageOf(text)).toMatch(/^I cannot tell who is meant/);
});

test('two persons are one too many', () => {
  for (const text of [
    '<@U012AB3CD|ada> <@U012AB3CE|grace> reset',
    '<@U012AB3CD>,<@U012AB3CE>',
    '<@U012AB3CD> and <@U012AB3CE>',
    '<@U012AB3CD> &amp; grace@example.com',
    'ada@example.com, grace@example.com',
  ])
    expect(usageOf(text)).toMatch(/one person at a time/);
});

test('somebody else may be named further on in the reason', () => {
  expect(parseCommand('<@U012AB3CD> asked for by <@U012AB3CE|grace>')).toEqual({
    target: ada,
    reason: 'asked for by @grace',
  });
});

test.each([
  ['for <@U1|grace> in <#C1|general>, <#C2|>', 'for @grace in #general, #C2'],
  ['see <https://example.com/t/1|ticket 1>', 'see ticket 1 (https://example.com/t/1)'],
  ['see <https://example.com/t/1>', 'see https://example.com/t/1'],
  ['<http://example.com|example.com>', 'http://example.com'],
  ['mail <mailto:it@example.com|it@example.com>', 'mail it@example.com'],
  ['<!channel> <!here|here> <!subteam^S1|@it> <!subteam^S1>', '@channel here @it @S1'],
  ['a &lt;!channel&gt; &amp;lt; b', 'a <!channel> &lt; b'],
  ['R&amp;D &lt;3', 'R&D <3'],
  ['a\u202Eb\u200Bc\u0007d\r\ne', 'abcd\ne'],
  ['\u202E\u200B', null],
])('the reason %j is kept as the person meant it', (typed, reason) => {
  expect(parseCommand(`<@U012AB3CD|ada> ${typed}`)).toEqual({ target: ada, reason });
});

test('2,000 characters are a reason as they were typed, and 2,001 are too many', () => {
  const long = `<@U012AB3CD> ${'&amp;'.repeat(1_999)}`;
  expect(parseCommand(`${long}😀`)).toEqual({ target: ada, reason: `${'&'.repeat(1_999)}😀` });
  expect(usageOf(`${long}😀!`)).toMatch(
    /^Nothing was created: the reason must have at most 2,000 characters/,
  );
  expect(usageOf(`<@U012AB3CD> ${'x'.repeat(3_000)}`)).toMatch(/at most 2,000 characters/);
});

test('text that does not end a mark, however long, is read in a moment', () => {
  for (const text of ['<@U1|', '<', '&', 'a@', '<mailto:a@b|', ', ', '<@U012AB3CD> <'])
    expect(parseCommand(text.repeat(20_000))).toHaveProperty('usage');
});

test('text that is escaped mentions nobody', () => {
  expect(escaped('<!channel> & <@U1>')).toBe('&lt;!channel&gt; &amp; &lt;@U1&gt;');
});
