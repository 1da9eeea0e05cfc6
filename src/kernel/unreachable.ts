/** An error that says what did not let us in and where, why, and which setting to look at. */
export function unreachable(what: string, where: string, setting: string | undefined, cause: unknown): Error {
  const cure = setting ? `; check that it runs there and that ${setting} is right` : '';
  return new Error(`cannot connect to ${what} at ${where} (${reasonOf(cause)})${cure}`, { cause });
}

/** Whether a store is away for now: connection failures, 53300 (too many) and 57P03 (starting up) among them. It may come back. */
export function isAway(error: unknown): boolean {
  const { code, message, cause, errors } = (error ?? {}) as Failure;
  if (
    typeof code === 'string' &&
    /^(ECONN|ENOENT$|EPIPE$|ETIMEDOUT$|ENOTFOUND$|EAI_AGAIN$|08|57P0|53300$)/.test(code)
  )
    return true;
  if (
    /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client .* is not queryable)/.test(
      message ?? '',
    )
  )
    return true;
  return [...(errors ?? []), ...(cause ? [cause] : [])].some((inner) => isAway(inner));
}

type Failure = { code?: unknown; message?: string; cause?: unknown; errors?: unknown[] };

/** A name with several addresses fails with all their errors at once, and no message of its own. */
function reasonOf(cause: unknown): string {
  const { message, errors = [] } = cause as { message: string; errors?: Error[] };
  return message || errors.map((error) => error.message).join(', ') || 'no reason given';
}
