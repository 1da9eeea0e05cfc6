import pino from 'pino';
import type { Logger } from 'pino';

export type Log = Logger;

/** Paths that may hold a secret wherever they turn up in a log record. */
const SECRETS = ['secret', 'token', 'authorization', 'password', 'url', 'body', 'headers'];

/** JSON lines on standard output; secrets, bodies and URLs with tokens are blanked out by name. */
export function createLog(level: string): Log {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: SECRETS.flatMap((name) => [name, `*.${name}`]),
    formatters: { level: (label) => ({ level: label }) },
  });
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
