const MAX_PRINTED = 100;
const MAX_EMAIL = 254;

/**
 * Whether it is text that can be stored, compared and shown: short, and without control characters, ends of lines, marks
 * that turn the direction of writing and halves of surrogate pairs.
 */
export function isPlain(value: unknown): value is string {
  return typeof value === 'string' && /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]{1,255}$/u.test(value);
}

/** Whether it is one e-mail address and nothing else. */
export function isEmail(value: unknown): value is string {
  return (
    isPlain(value) && value.length <= MAX_EMAIL && /^[^\s@,;:<>()[\]"\\]+@[^\s@,;:<>()[\]"\\]+$/.test(value)
  );
}

/** What somebody else wrote, fit for a log and a terminal: whatever has no look of its own becomes a question mark, and it is cut. */
export function quoted(text: string, max = MAX_PRINTED): string {
  // Cut first: it may be very long.
  const start = text.slice(0, max).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
  return text.length > max ? `${start}...` : start;
}
