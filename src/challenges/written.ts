import { MAX_INCIDENT_COMMENT } from './input.ts';

const LINE_BREAK = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/g;
/** All but what joins emoji and letters, or chooses how they look. */
const UNSEEN =
  /(?![\t\n]|\u200C|\u200D|\uFE0E|\uFE0F)[\p{Control}\p{Surrogate}\p{Default_Ignorable_Code_Point}\uFFF9-\uFFFB]/gu;

/** What a person wrote, without what hides or reorders text: whoever pasted it does not know that it is there. */
export function plainText(written: string): string {
  return written.replaceAll(LINE_BREAK, '\n').replaceAll(UNSEEN, '').trim();
}

/** What a person says about an incident: one line, or null. Never refused, but cut: the alarm counts for more than its words. */
export function incidentComment(written: string): string | null {
  const lines = plainText(written).split(/[\t\n]/);
  const line = lines
    .map((part) => part.trim())
    .filter(Boolean)
    .join(' ');
  return Array.from(line).slice(0, MAX_INCIDENT_COMMENT).join('').trim() || null;
}
