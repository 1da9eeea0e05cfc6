import type { Request, RequestHandler } from 'express';
import type { Db } from '../db/database.ts';
import { sha256 } from '../kernel/crypto.ts';
import { AppError } from '../kernel/errors.ts';
import { findCaller } from '../tenants/store.ts';
import type { Caller, SCOPES } from '../tenants/store.ts';

/** How long a caller's data is used without asking again: a revoked key ends within this time. */
export const CALLER_CACHE_MS = 1_000;
/** Enough for every key in use; when it is full, it starts over. */
const MAX_CACHED = 10_000;
const KEY = /^cs_(test|live)_[A-Za-z0-9_-]{43}$/;

/** Middleware that answers 401 unless a valid API key came in `X-API-Key` or as a Bearer token; `callerOf` then tells whose. */
export function authenticate({ db, now }: { db: Db; now: () => Date }): RequestHandler {
  const lookUp = cachedLookUp((hash) => findCaller(db, hash));
  return async (req, res, next) => {
    const key = keyOf(req);
    const caller = key === undefined ? undefined : await lookUp(sha256(key));
    if (!caller || (caller.valid_until && caller.valid_until <= now())) {
      res.set('WWW-Authenticate', 'Bearer realm="countersign"');
      throw new AppError('unauthorized', 'Invalid or missing API key');
    }
    callers.set(req, caller);
    next();
  };
}

/** Middleware that answers 403 unless the caller's key may do this. */
export function allowed(scope: (typeof SCOPES)[number]): RequestHandler {
  return (req, _res, next) => {
    if (!callerOf(req).scopes.includes(scope)) {
      throw new AppError('forbidden', `This API key may not do this; it needs the scope ${scope}`);
    }
    next();
  };
}

const callers = new WeakMap<Request, Caller>();

/** The caller that `authenticate` found for this request. */
export function callerOf(req: Request): Caller {
  const caller = callers.get(req);
  if (!caller) throw new Error('callerOf needs authenticate before it');
  return caller;
}

function keyOf(req: Request): string | undefined {
  const header = req.get('x-api-key') ?? /^Bearer +(\S+)$/i.exec(req.get('authorization') ?? '')?.[1];
  return header !== undefined && KEY.test(header) ? header : undefined;
}

/** Calls that come while one is under way share its answer. An entry's age counts from before its query was sent. */
function cachedLookUp(find: (hash: string) => Promise<Caller | undefined>) {
  const entries = new Map<string, { until: number; caller: Promise<Caller | undefined> }>();
  return (hash: string): Promise<Caller | undefined> => {
    const known = entries.get(hash);
    if (known && known.until > performance.now()) return known.caller;
    if (entries.size >= MAX_CACHED) entries.clear();
    const caller = find(hash);
    entries.set(hash, { until: performance.now() + CALLER_CACHE_MS, caller });
    // Neither a failure nor an unknown key is remembered.
    caller.then(
      (found) => found ?? entries.delete(hash),
      () => entries.delete(hash),
    );
    return caller;
  };
}
