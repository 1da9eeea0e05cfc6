import { v7, validate } from 'uuid';

/** A new UUID of version 7: ids of later rows sort behind those of earlier ones. */
export function newId(): string {
  return v7();
}

/** Whether the text is a UUID of any version. */
export function isUuid(text: string): boolean {
  return validate(text);
}
