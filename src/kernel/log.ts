import pino from 'pino';
import type { Logger } from 'pino';

export type Log = Logger;

/** Paths that may hold a secret wherever they turn up in a log record. */
const SECRETS = ['secret', 'token', 'authorization', 'password', 'url', 'body', 'headers'];
const BUFFER_BYTES = 4_096;
const FLUSH_MS = 250;

/**
 * JSON lines on standard output; secrets, bodies and URLs with tokens are blanked out by name. Lines are gathered for
 * up to a quarter of a second: a write per request would cost more than all else about it.
 */
export function createLog(level: string): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: SECRETS.flatMap((name) => [name, `*.${name}`]),
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describe },
  };
  return pino(
    options,
    pino.destination({ dest: 1, sync: false, minLength: BUFFER_BYTES, periodicFlush: FLUSH_MS }),
  );
}

/** An error with what it carries, but not the whole connection that pg hangs on its own. */
function describe(error: Error): object {
  const { client: _, ...rest } = pino.stdSerializers.err(error) as object & { client?: unknown };
  return rest;
}

/** Lets through one line per `windowMs`, so that a store that is gone does not fill the disk with its news. */
export function rateLimited(write: (error: unknown) => void, windowMs = 5_000): (error: unknown) => void {
  let next = 0;
  return (error) => {
    if (performance.now() < next) return;
    next = performance.now() + windowMs;
    write(error);
  };
}
