import { describe, expect, test } from '@jest/globals';
import { de } from '../../src/web/texts/de.ts';
import { en } from '../../src/web/texts/en.ts';
import { isolate, timeIn, timeLeft } from '../../src/web/words.ts';

type Leaf = string | ((...values: unknown[]) => string);
type Branch = { [name: string]: Leaf | Branch };

/** Every text by its path; functions are called with values that can be told from words. */
function textsOf(branch: Branch, path = ''): [string, string][] {
  return Object.entries(branch).flatMap(([name, value]): [string, string][] => {
    const at = path ? `${path}.${name}` : name;
    if (typeof value === 'object') return textsOf(value, at);
    return [[at, typeof value === 'string' ? value : value(...VALUES.slice(0, value.length))]];
  });
}

const VALUES = ['⟨first⟩', '⟨second⟩'];
/** The same word in both languages, or a name. */
const SHARED = new Set(['facts.at', 'support.channel']);
const english = new Map(textsOf(en as unknown as Branch));
const german = new Map(textsOf(de as unknown as Branch));

describe('the catalogue', () => {
  test('has every text in German that it has in English, and no other', () => {
    expect([...german.keys()].sort()).toEqual([...english.keys()].sort());
    expect(english.size).toBeGreaterThan(100);
  });

  test('has other words for each in German', () => {
    const same = [...english].filter(([path, text]) => german.get(path) === text && !SHARED.has(path));
    expect(same).toEqual([]);
  });

  test('puts the same values into both', () => {
    const valuesIn = (text: string) => VALUES.filter((value) => text.includes(value));
    for (const [path, text] of english)
      expect([path, valuesIn(german.get(path) ?? '')]).toEqual([path, valuesIn(text)]);
  });

  test('leaves nothing empty, half-finished or with a blank too many', () => {
    for (const text of [...english.values(), ...german.values()]) {
      expect(text).not.toMatch(/^$|^\s|\s$|\s\s|undefined|null|TODO/);
    }
  });

  test('addresses people formally in German, and with its own quotation marks', () => {
    const all = [...german.values()].join('\n');
    expect(all).not.toMatch(/\b(du|dich|dir|dein|deine|deinen|deinem|deiner|euch|euer)\b/i);
    expect(all).not.toMatch(/["“”](?=\w)/);
  });

  test('asks somebody when no organization has a name', () => {
    for (const texts of [en, de]) expect(texts.support.ask(null)).toMatch(/^(Questions|Fragen)\?/);
  });
});

describe('times', () => {
  const at = (minutes: number) => new Date(Date.UTC(2026, 2, 4, 9, 30) + minutes * 60_000);

  test('are written as the language writes them', () => {
    expect(timeIn('en', at(0))).toBe('4 March 2026 at 09:30');
    expect(timeIn('de', at(0))).toBe('4. März 2026 um 09:30');
  });

  test.each([
    [0, '1 minute', '1 Minute'],
    [1, '1 minute', '1 Minute'],
    [14, '14 minutes', '14 Minuten'],
    [119, '119 minutes', '119 Minuten'],
    [120, '2 hours', '2 Stunden'],
    [47 * 60, '47 hours', '47 Stunden'],
    [48 * 60, '2 days', '2 Tage'],
    [7 * 24 * 60, '7 days', '7 Tage'],
  ])('that are %s minutes away are said with the right plural', (minutes, english_, german_) => {
    expect(timeLeft('en', at(0), at(minutes))).toBe(english_);
    expect(timeLeft('de', at(0), at(minutes))).toBe(german_);
  });
});

test('a name from right to left is kept from turning its sentence around, others are left alone', () => {
  expect(isolate('مكتب المساعدة')).toBe('\u2068مكتب المساعدة\u2069');
  expect(isolate('שולחן')).toBe('\u2068שולחן\u2069');
  expect(isolate('Ärztehaus Łódź')).toBe('Ärztehaus Łódź');
});
