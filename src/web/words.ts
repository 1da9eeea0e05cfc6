import type { Language } from './texts/index.ts';

const LOCALES: Record<Language, string> = { en: 'en-GB', de: 'de-DE' };
const RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC]/;
const FIRST_STRONG_ISOLATE = '\u2068';
const POP_ISOLATE = '\u2069';
const DAY_MS = 24 * 3_600_000;

const TIMES = eachLanguage(
  (locale) => new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' }),
);
const CLOCKS = eachLanguage(
  (locale) => new Intl.DateTimeFormat(locale, { timeStyle: 'short', timeZone: 'UTC' }),
);
const UNITS = eachLanguage((locale) => {
  const of = (unit: string) => new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' });
  return { minute: of('minute'), hour: of('hour'), day: of('day') };
});

/** The time in words, in UTC, as the language writes it; the page adds that it is UTC. */
export function timeIn(language: Language, time: Date): string {
  return TIMES[language].format(time);
}

/** The same of a deadline: the time of day says enough while it is less than a day away. */
export function deadlineIn(language: Language, now: Date, until: Date): string {
  const isNear = until.getTime() - now.getTime() < DAY_MS;
  return (isNear ? CLOCKS : TIMES)[language].format(until);
}

/** How long it is until then, in whole minutes, hours or days: at least one minute. */
export function timeLeft(language: Language, now: Date, until: Date): string {
  const { minute, hour, day } = UNITS[language];
  const minutes = Math.max(1, Math.round((until.getTime() - now.getTime()) / 60_000));
  if (minutes < 120) return minute.format(minutes);
  const hours = Math.round(minutes / 60);
  return hours < 48 ? hour.format(hours) : day.format(Math.round(hours / 24));
}

/** A name inside a sentence: one that is written from right to left must not turn the sentence around. */
export function isolate(name: string): string {
  return RIGHT_TO_LEFT.test(name) ? `${FIRST_STRONG_ISOLATE}${name}${POP_ISOLATE}` : name;
}

function eachLanguage<T>(make: (locale: string) => T): Record<Language, T> {
  return { en: make(LOCALES.en), de: make(LOCALES.de) };
}
