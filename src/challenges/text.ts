import { invalid } from '../kernel/errors.ts';

/** Characters that hide or reorder text, or that PostgreSQL and terminals choke on; line breaks and tabs are told apart. */
const LONE_SURROGATE = /\p{Surrogate}/u;
const CONTROL = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u2028\u2029]/;
const LINE_BREAK = /[\t\n\r]/;
const BIDI = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/;

type Limits = { max: number; multiline?: boolean };

/** Plain text of at most `max` characters; undefined for null, absent or blank. Throws a 400 that names the field. */
export function readText(value: unknown, field: string, limits: Limits): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw invalid(`${field} must be a string`, field);
  if (isLonger(value, limits.max))
    throw invalid(`${field} must have at most ${limits.max} characters`, field);
  if (LONE_SURROGATE.test(value))
    throw invalid(`${field} is not well-formed Unicode (a lone surrogate)`, field);
  if (CONTROL.test(value) || (!limits.multiline && LINE_BREAK.test(value))) {
    throw invalid(`${field} must not contain control characters`, field);
  }
  if (BIDI.test(value))
    throw invalid(`${field} must not contain characters that change the writing direction`, field);
  return value.trim() || undefined;
}

/** Whether it has more than `max` characters: Unicode code points, as in JSON Schema's maxLength; an emoji counts once. */
export function isLonger(value: string, max: number): boolean {
  return value.length > max && Array.from(value).length > max;
}
