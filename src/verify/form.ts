import express from 'express';
import type { Request } from 'express';

/** Room for far more than the longest comment, percent-encoded at up to 12 bytes a character: an alarm is cut, not refused. */
const MAX_FORM_BYTES = 65_536;

/** Reads the forms of the pages. */
export const readForm = () => express.urlencoded({ extended: false, limit: MAX_FORM_BYTES, inflate: false });

/** The text in a field of the form; '' when there is none. */
export function formField(req: Request<{ id: string }>, name: string): string {
  return textOf((req.body as { [name: string]: unknown } | undefined)?.[name]);
}

/** What was sent once, as text; '' for everything else. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
