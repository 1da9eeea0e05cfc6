import { v5, v7, validate } from 'uuid';

/** A new UUID of version 7: ids of later rows sort behind those of earlier ones. */
export function newId(): string {
  return v7();
}

/** The UUID (version 5) that belongs to this name within the namespace: the same for the same two, everywhere. */
export function namedId(name: string, namespace: string): string {
  return v5(name, namespace);
}

/** Whether the text is a UUID of any version. */
export function isUuid(text: string): boolean {
  return validate(text);
}
