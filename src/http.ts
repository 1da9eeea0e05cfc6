import express from 'express';
import type { ErrorRequestHandler, Express, Request, RequestHandler, Response, Router } from 'express';
import type { Config } from './config.ts';
import { AppError } from './kernel/errors.ts';
import type { ErrorCode } from './kernel/errors.ts';
import { newId } from './kernel/id.ts';
import { isAway } from './kernel/unreachable.ts';
import type { Log } from './kernel/log.ts';
import type { Brand } from './tenants/brand-store.ts';
import { errorPage } from './web/error.tsx';
import { asPages } from './web/pages.ts';
import { security } from './web/security.ts';

/** A router and where it hangs; `pages` answer errors in HTML. */
export type Door = { path: string; router: Router; pages?: boolean };

const STATUS: Record<ErrorCode, number> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  gone: 410,
  idempotency_key_reused: 409,
  too_large: 413,
  too_many_requests: 429,
  unsupported_media_type: 415,
  unavailable: 503,
};

/** The whole HTTP side: middleware in order, the doors, then what answers when nothing else did. */
export function createApp(options: {
  config: Config;
  log: Log;
  doors: Door[];
  /** whose page an error is that belongs to no challenge */
  onlyBrand?: () => Promise<Brand | undefined>;
}): Express {
  const { config, log, doors, onlyBrand = () => Promise.resolve(undefined) } = options;
  const app = express();
  app.disable('x-powered-by');
  // Answers are private and change; hashing each of them for a cache would be wasted.
  app.set('etag', false);
  app.set('trust proxy', config.trustProxy);
  app.set('query parser', 'simple');
  app.use(requestLog(log));
  app.use(security(config.publicUrl.startsWith('https:')));
  for (const { path, pages } of doors) if (pages) app.use(path, asPages);
  for (const { path, router } of doors) app.use(path, router);
  app.use(notFound);
  app.use(answerError(log, doors, onlyBrand));
  return app;
}

/** Asked every few seconds; a line for each would bury the others. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);

/** For the log: without the query, which may hold the token of a link, also where a mail gateway has written its `?` as %3F. */
function pathOf({ path }: Request): string {
  return path.replace(/%3f.*$/is, '');
}

/** The id that a request's log lines and its error answer share. */
function requestIdOf(res: Response): string {
  return res.getHeader('x-request-id') as string;
}

function requestLog(log: Log): RequestHandler {
  return (req, res, next) => {
    const start = performance.now();
    const requestId = newId();
    res.setHeader('X-Request-Id', requestId);
    res.setHeader('Cache-Control', 'no-store');
    const path = pathOf(req);
    res.on('finish', () => {
      if (PROBES.has(path)) return;
      const duration_ms = Math.round(performance.now() - start);
      log.info(
        { request_id: requestId, method: req.method, path, status: res.statusCode, duration_ms },
        'request',
      );
    });
    next();
  };
}

const notFound: RequestHandler = (req) => {
  throw new AppError('not_found', `There is nothing at ${req.path.slice(0, 200)}`);
};

function answerError(
  log: Log,
  doors: Door[],
  onlyBrand: () => Promise<Brand | undefined>,
): ErrorRequestHandler {
  return async (error: unknown, req, res, next) => {
    if (res.headersSent) return next(error);
    const known = expected(error);
    const requestId = requestIdOf(res);
    if (!known) log.error({ err: error, request_id: requestId, path: pathOf(req) }, 'a request failed');
    const status = known ? STATUS[known.code] : 500;
    const message = known?.message ?? unexpectedMessage(req);
    if (known?.retryAfterS) res.set('Retry-After', String(known.retryAfterS));
    if (wantsPage(req, doors)) {
      // Not where the store may be away: the page must not wait for it.
      const brand = known && status < 500 ? await onlyBrand() : undefined;
      res
        .status(status)
        .type('html')
        .send(errorPage(req, res, { error: known, status, requestId, brand }));
      return;
    }
    const field = known?.field === undefined ? {} : { field: known.field };
    res
      .status(status)
      .json({ error: message, code: known?.code ?? 'internal', ...field, request_id: requestId });
  };
}

/** An AppError, or what Express and its parsers throw, or a store that is away, as one. */
function expected(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error;
  const { status, type } = (error ?? {}) as { status?: number; type?: string };
  if (type === 'entity.too.large') return new AppError('too_large', 'The request body is too large');
  if (type === 'encoding.unsupported')
    return new AppError('unsupported_media_type', 'Compressed bodies are not accepted');
  if (status !== undefined && status >= 400 && status < 500)
    return new AppError('invalid', 'The request is malformed');
  if (isAway(error)) return new AppError('unavailable', 'The database is not available; try again');
  return undefined;
}

/** The documented sentence for a create that fails on our side, else a general one. */
function unexpectedMessage(req: Request): string {
  return req.method === 'POST' && /^\/api\/v1\/challenges\/?(\?|$)/i.test(req.originalUrl)
    ? 'Failed to create challenge'
    : 'Internal error';
}

function wantsPage(req: Request, doors: Door[]): boolean {
  return doors.some((door) => door.pages && req.originalUrl.startsWith(`${door.path}/`));
}
