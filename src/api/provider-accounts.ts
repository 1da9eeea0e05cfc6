import { Router } from 'express';
import type { RequestHandler } from 'express';
import type { Db } from '../db/database.ts';
import { chooseProvider } from '../challenges/choice.ts';
import { cursorOf } from '../deliveries/input.ts';
import { AppError } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import { listInbound } from '../providers/log-store.ts';
import { parseLogQuery, presentAccount, presentInbound } from '../providers/log.ts';
import { listAccountsOf } from '../providers/store.ts';
import type { Account } from '../providers/store.ts';
import type { Caller } from '../tenants/store.ts';
import { allow } from '../web/allow.ts';
import { allowed, authenticate, callerOf } from './authenticate.ts';

type Deps = { db: Db; now: () => Date; publicUrl: string };

/** The tenant's accounts at providers, and what came in for each: `/api/v1/provider-accounts`. */
export function providerAccountRoutes(deps: Deps): Router {
  const { db, now, publicUrl } = deps;
  const mayRead = [authenticate(deps), allowed('challenges:read'), seesAll];
  const router = Router();

  router.get('/', ...mayRead, async (req, res) => {
    const caller = callerOf(req);
    const accounts = await listAccountsOf(db, caller.tenant_id, caller.mode);
    const chosen = chooseProvider(caller);
    res.json({ data: accounts.map((one) => presentAccount(one, { publicUrl, chosen, now: now() })) });
  });

  router.get('/:id/webhooks', ...mayRead, async (req, res) => {
    const account = await getAccount(db, callerOf(req), req.params.id);
    const { filter, limit, after } = parseLogQuery(req.query);
    const rows = await listInbound(db, account.id, filter, { limit: limit + 1, after });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const next_cursor = rows.length > page.length && last ? cursorOf(last.id) : null;
    res.json({ data: page.map(presentInbound), next_cursor });
  });

  for (const path of ['/', '/:id/webhooks']) router.all(path, allow('GET'));
  return router;
}

/** An account's webhooks are about the challenges of all integrations, so a key that sees its own only gets none. */
const seesAll: RequestHandler = (req, _res, next) => {
  if (callerOf(req).own_only) {
    throw new AppError(
      'forbidden',
      'This API key sees the challenges of its own integration only, and a provider account serves all; use the key of an integration that was created without --own-only',
    );
  }
  next();
};

async function getAccount(db: Db, { tenant_id, mode }: Caller, id: unknown): Promise<Account> {
  const accounts = typeof id === 'string' && isUuid(id) ? await listAccountsOf(db, tenant_id, mode) : [];
  const account = accounts.find((one) => one.id === String(id).toLowerCase());
  if (!account) throw new AppError('not_found', 'Provider account not found');
  return account;
}
