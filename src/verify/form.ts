import express from 'express';
import type { Request } from 'express';

/** Room for the longest comment, percent-encoded at up to 12 bytes a character. */
const MAX_FORM_BYTES = 8_192;

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
