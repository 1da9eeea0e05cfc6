import type { Request, RequestHandler } from 'express';
import { jsonBody } from './json-body.ts';

/** As jsonBody, but a request without a body has an empty object: for those that need not say anything. */
export const optionalJsonBody: RequestHandler[] = [
  ...jsonBody.map(
    (step): RequestHandler =>
      (req, res, next) =>
        hasBody(req) ? step(req, res, next) : next(),
  ),
  (req, _res, next) => {
    if (!hasBody(req)) req.body = {};
    next();
  },
];

/** An empty one is none: HTTP clients send a Content-Length of 0 with every POST. */
function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
