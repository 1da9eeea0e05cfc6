import { de } from './de.ts';
import { en } from './en.ts';
import type { Texts } from './en.ts';

export type { Texts } from './en.ts';
export const LANGUAGES = ['en', 'de'] as const;
export type Language = (typeof LANGUAGES)[number];

/** The catalogues by language; English is what everybody else gets. */
export const TEXTS: Record<Language, Texts> = { en, de };
