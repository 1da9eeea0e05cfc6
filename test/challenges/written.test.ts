import { describe, expect, test } from '@jest/globals';
import { incidentComment, plainText } from '../../src/challenges/written.ts';

describe('what a person wrote', () => {
  test.each([
    ['one\r\ntwo\rthree\u2028four\u0085five', 'one\ntwo\nthree\nfour\nfive'],
    ['a\tb', 'a\tb'],
    ['\u202Egnp.exe\u2066\u200F\u061C', 'gnp.exe'],
    ['in\u200Bvis\uFEFFi\u00ADble\u{E0041}', 'invisible'],
    ['\u0000\u001B[31mred\u009B', '[31mred'],
    ['lone \uD83D half', 'lone  half'],
    [' \u00A0blank\n', 'blank'],
    ['\u200B', ''],
  ])('%j is kept as %j', (written, kept) => {
    expect(plainText(written)).toBe(kept);
  });

  test.each(['👩‍👩‍👧', '❤️', 'می‌خواهم', 'क्‍ष', 'Ärztin Łódź 😴'])('%s keeps what it is made of', (written) => {
    expect(plainText(written)).toBe(written);
  });
});

describe('what a person says about an incident', () => {
  test.each([
    ['two \r\n\n lines', 'two lines'],
    ['a\tb', 'a b'],
    ['\u200B \n', null],
    ['😴'.repeat(501), '😴'.repeat(500)],
    [`${'x'.repeat(499)} yz`, 'x'.repeat(499)],
  ])('%j is one line of at most 500 characters', (written, kept) => {
    expect(incidentComment(written)).toBe(kept);
  });
});
