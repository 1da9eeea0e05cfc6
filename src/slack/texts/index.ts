import { de } from './de.ts';
import { en } from './en.ts';
import type { Texts } from './en.ts';

export type { Texts } from './en.ts';

/** The catalogues of the messages in Slack, by language. */
export const TEXTS: Record<'en' | 'de', Texts> = { en, de };
