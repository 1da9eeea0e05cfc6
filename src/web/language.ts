import type { Request, Response } from 'express';
import type { Brand } from '../tenants/brand-store.ts';
import { LANGUAGES, TEXTS } from './texts/index.ts';
import type { Language, Texts } from './texts/index.ts';

/** What surrounds the content of a page: the words, whose page it is, and where it is. */
export type Frame = {
  lang: Language;
  texts: Texts;
  brand: Brand | undefined;
  /** this page's own address, for the links to other languages; undefined for the answer to a form */
  here: string | undefined;
  /** where device.js sends what the browser tells */
  device?: string;
  /** what wait.js says when the page is about to become another */
  wait?: string;
};

const COOKIE = 'countersign_lang';
const YEAR_MS = 365 * 24 * 3_600_000;

/** The frame of the page that answers this request: in the language of `?lang=`, else of the cookie, else of the browser, else English. */
export function frameOf(req: Request, res: Response, brand?: Brand): Frame {
  const asked = languageIn((req.query as { lang?: unknown }).lang);
  if (asked) remember(req, res, asked);
  const lang = asked ?? languageIn(cookieOf(req)) ?? languageIn(req.acceptsLanguages(...LANGUAGES)) ?? 'en';
  res.set('Content-Language', lang);
  // For the page of an error that comes later and does not know whose page it is.
  const locals = res.locals as { brand?: Brand };
  if (brand) locals.brand = brand;
  return { lang, texts: TEXTS[lang], brand: locals.brand, here: hereOf(req) };
}

function remember(req: Request, res: Response, lang: Language): void {
  const place = req.get('sec-fetch-dest') ?? 'document';
  res.cookie(COOKIE, lang, {
    path: '/',
    maxAge: YEAR_MS,
    httpOnly: true,
    // Browsers say where the page is for only over https, or on their own machine.
    ...(place === 'document'
      ? { sameSite: 'lax', secure: req.secure }
      : { sameSite: 'none', secure: true, partitioned: true }),
  });
}

function cookieOf(req: Request): string | undefined {
  const cookies = (req.get('cookie') ?? '').split(/; */);
  return cookies.find((cookie) => cookie.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
}

function languageIn(value: unknown): Language | undefined {
  return LANGUAGES.find((one) => one === value);
}

function hereOf({ method, originalUrl }: Request): string | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  const [path = '', query = ''] = originalUrl.split(/\?(.*)/s);
  const kept = query.split('&').filter((pair) => pair !== '' && !pair.startsWith('lang='));
  return kept.length > 0 ? `${path}?${kept.join('&')}` : path;
}
