import { expect, test } from '@jest/globals';
import { isPlain, quoted } from '../../src/signin/plain.ts';

test.each(['a', 'ada@example.com', 'Ada Lovelace', 'Ædå 李', '👩', 'a'.repeat(255)])(
  '%j is plain text',
  (text) => {
    expect(isPlain(text)).toBe(true);
    expect(quoted(text, 300)).toBe(text);
  },
);

test.each([
  '',
  'a'.repeat(256),
  'a\0',
  'a\n',
  '\u001B[2K',
  '\u0085',
  '\u2028',
  '\u202Eada',
  '\u2066',
  '\uD800a',
  7,
  null,
])('%j is no plain text', (value) => {
  expect(isPlain(value)).toBe(false);
});

test('what is printed shows all that it holds, and ends soon', () => {
  expect(quoted('a\u001B[2K\r\nb\u202Ec\u2028d\uD800\u200Be\0')).toBe('a?[2K??b?c?d??e?');
  expect(quoted('a'.repeat(100))).toBe('a'.repeat(100));
  expect(quoted('a'.repeat(1_000_000))).toBe(`${'a'.repeat(100)}...`);
});
