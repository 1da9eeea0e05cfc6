/** An error that says what did not let us in and where, why, and which setting to look at. */
export function unreachable(what: string, where: string, setting: string | undefined, cause: unknown): Error {
  const cure = setting ? `; check that it runs there and that ${setting} is right` : '';
  return new Error(`cannot connect to ${what} at ${where} (${reasonOf(cause)})${cure}`, { cause });
}

/** A name with several addresses fails with all their errors at once, and no message of its own. */
function reasonOf(cause: unknown): string {
  const { message, errors = [] } = cause as { message: string; errors?: Error[] };
  return message || errors.map((error) => error.message).join(', ') || 'no reason given';
}
