import { parseUrl } from '../kernel/address.ts';
import { invalid } from '../kernel/errors.ts';
import type { Logo, LogoType, Support } from './brand-store.ts';

const MAX_NAME = 80;
const MAX_CONTACT = 500;
/** A page with its logo should arrive at once, also on a phone at the edge of the net. */
export const MAX_LOGO_BYTES = 16_384;
/** What must not be in a line that people read: it hides or reorders text. */
const UNSEEN = /[\p{Control}\p{Surrogate}\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/u;

/** What files of each kind begin with, in Latin-1; an SVG is none of them: it may hold scripts. */
const SIGNATURES: Record<LogoType, RegExp> = {
  'image/png': /^\x89PNG\r\n\x1A\n/,
  'image/jpeg': /^\xFF\xD8\xFF/,
  'image/webp': /^RIFF[^]{4}WEBP/,
};

/** What each contact must look like, and how to say so. */
const CONTACTS: Record<keyof Support, { fits: (text: string) => boolean; must: string }> = {
  email: { fits: (text) => /^[^\s@<>"]+@[^\s@<>"]+\.[^\s@<>".]+$/.test(text), must: 'an e-mail address' },
  phone: {
    fits: (text) => /^\+?[\d ()./-]+$/.test(text) && text.replaceAll(/\D/g, '').length >= 3,
    must: 'a telephone number such as +49 30 1234567',
  },
  slack: {
    fits: (text) => /^#[^\s#<>"]{1,80}$/.test(text) || isWeb(text, ['https:']),
    must: 'a channel such as #help-desk, or its https address',
  },
  url: { fits: (text) => isWeb(text), must: 'an http or https address' },
};

/** The name people see, or a 400 that says what is wrong with it. */
export function readName(text: string): string {
  const name = text.trim();
  if (name === '' || Array.from(name).length > MAX_NAME || UNSEEN.test(name))
    throw invalid(`name must have 1 to ${MAX_NAME} visible characters`, 'name');
  return name;
}

/** The contacts as they are to be from now on: '' takes one away, what is left out stays. Throws a 400 that names the field. */
export function readSupport(now: Support, change: Support): Support {
  const changed = { ...now, ...change };
  const names = Object.keys(CONTACTS) as (keyof Support)[];
  const kept = names.flatMap((name) => {
    const text = changed[name]?.trim() ?? '';
    if (text === '') return [];
    const { fits, must } = CONTACTS[name];
    if (text.length > MAX_CONTACT || UNSEEN.test(text) || !fits(text))
      throw invalid(`${name} must be ${must}`, name);
    return [[name, text]];
  });
  return Object.fromEntries(kept) as Support;
}

/** A picture that browsers show and nothing runs in, told by its first bytes; else a 400. */
export function readLogo(bytes: Buffer): Logo {
  if (bytes.length > MAX_LOGO_BYTES)
    throw invalid(`the logo has ${bytes.length} bytes; it may have at most ${MAX_LOGO_BYTES}`, 'file');
  const start = bytes.subarray(0, 12).toString('latin1');
  const type = (Object.keys(SIGNATURES) as LogoType[]).find((one) => SIGNATURES[one].test(start));
  if (!type) throw invalid('the logo must be a PNG, JPEG or WebP file', 'file');
  return { bytes, type };
}

/** Whether it is the address of a web page, and says nothing else. */
export function isWeb(text: string, schemes = ['https:', 'http:']): boolean {
  const url = parseUrl(text);
  return url !== undefined && schemes.includes(url.protocol) && url.username === '' && !/\s/.test(text);
}
