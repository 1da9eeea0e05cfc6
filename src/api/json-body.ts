import { isUtf8 } from 'node:buffer';
import express from 'express';
import type { RequestHandler } from 'express';
import { AppError, invalid } from '../kernel/errors.ts';

const MAX_BODY_BYTES = 64 * 1_024;

/** Parses a JSON body of at most 64 KiB; anything else is a 4xx that says what is wrong. */
export const jsonBody: RequestHandler[] = [
  (req, _res, next) => {
    // null: there is no body, so that its type is not what is wrong.
    if (req.is('application/json') === false) {
      throw new AppError('unsupported_media_type', 'Content-Type must be application/json');
    }
    next();
  },
  express.raw({ type: () => true, limit: MAX_BODY_BYTES, inflate: false }),
  (req, _res, next) => {
    const body: unknown = req.body;
    req.body = parse(Buffer.isBuffer(body) ? body : Buffer.alloc(0));
    next();
  },
];

function parse(body: Buffer): unknown {
  if (body.length === 0) throw invalid('the request body is empty; send a JSON object');
  if (!isUtf8(body)) throw invalid('the request body is not valid UTF-8');
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    // The parser's message quotes the body, which may hold personal data; only the place is passed on.
    const [place = ''] = / at position \d+/.exec((error as Error).message) ?? [];
    throw invalid(`the request body is not valid JSON${place}`);
  }
}
