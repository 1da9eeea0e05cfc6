import express, { Router } from 'express';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { isUuid } from '../kernel/id.ts';
import { AppError } from '../kernel/errors.ts';
import { getAccountAt } from '../providers/account.ts';
import type { OpenAccount } from '../providers/account.ts';
import type { InboxDeps } from '../providers/inbox.ts';
import { createReceiver } from '../providers/receive.ts';
import type { Refusal } from '../providers/receive.ts';
import { allow } from '../web/allow.ts';

const MAX_BODY_BYTES = 256 * 1_024;

/** The providers' door: `/webhooks/:provider/:account`. The body's bytes are untouched until their signature is checked. */
export function webhookRoutes(deps: InboxDeps): Router {
  const router = Router();
  const receiver = createReceiver(deps);
  const admitted = new WeakMap<Request, OpenAccount>();
  const raw = express.raw({ type: () => true, limit: MAX_BODY_BYTES, inflate: false });

  // Lets an operator see in a browser that name, TLS and proxy lead here.
  router.get('/:provider/:account', async (req, res) => {
    const { provider } = await getAccountAt(deps, ...pathOf(req));
    res.type('text/plain').send(`Countersign endpoint for ${provider.label} webhooks\n`);
  });

  // Whose it is comes first, so that what is wrong with the body stands in that account's log.
  const admit: RequestHandler = async (req, _res, next) => {
    admitted.set(req, await receiver.admit(...pathOf(req), req.ip));
    next();
  };
  const receive: RequestHandler = async (req, res) => {
    const body: unknown = req.body;
    const arrival = { headers: req.headers, body: Buffer.isBuffer(body) ? body : Buffer.alloc(0) };
    await receiver.receive(admitted.get(req)!, { ...arrival, address: req.ip });
    res.status(200).json({ status: 'ok' });
  };
  const refuse = async (error: unknown, req: Request, _res: Response, next: NextFunction): Promise<void> => {
    const opened = admitted.get(req);
    const reason = opened && refusalOf(error);
    if (opened && reason) await receiver.refuse(opened, reason, req.ip);
    next(error);
  };

  router.post('/:provider/:account', admit, raw, refuse, receive);
  router.all('/:provider/:account', allow('GET', 'POST'));
  return router;
}

/** What the body parser complains about. */
function refusalOf(error: unknown): Refusal | undefined {
  const { type, status = 0 } = (error ?? {}) as { type?: string; status?: number };
  if (type === 'entity.too.large') return 'too_large';
  if (type === 'encoding.unsupported') return 'compressed';
  return status >= 400 && status < 500 ? 'malformed' : undefined;
}

function pathOf(req: Request): [provider: string, account: string] {
  const { provider, account } = req.params;
  if (typeof provider !== 'string' || typeof account !== 'string' || !isUuid(account)) {
    throw new AppError('not_found', 'No such webhook address');
  }
  return [provider, account];
}
