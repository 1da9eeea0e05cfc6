import express, { Router } from 'express';
import type { Request } from 'express';
import { isUuid } from '../kernel/id.ts';
import { AppError } from '../kernel/errors.ts';
import { getAccountAt } from '../providers/account.ts';
import { receiveWebhook } from '../providers/inbox.ts';
import type { InboxDeps } from '../providers/inbox.ts';
import { allow } from '../web/allow.ts';

const MAX_BODY_BYTES = 256 * 1_024;

/** The providers' door: `/webhooks/:provider/:account`. The body's bytes are untouched until their signature is checked. */
export function webhookRoutes(deps: InboxDeps): Router {
  const router = Router();
  const raw = express.raw({ type: () => true, limit: MAX_BODY_BYTES, inflate: false });

  // Lets an operator see in a browser that name, TLS and proxy lead here.
  router.get('/:provider/:account', async (req, res) => {
    const { provider } = await getAccountAt(deps, ...pathOf(req));
    res.type('text/plain').send(`Countersign endpoint for ${provider.label} webhooks\n`);
  });

  router.post('/:provider/:account', raw, async (req, res) => {
    const body: unknown = req.body;
    const request = { headers: req.headers, body: Buffer.isBuffer(body) ? body : Buffer.alloc(0) };
    await receiveWebhook(deps, ...pathOf(req), request);
    res.status(200).json({ status: 'ok' });
  });

  router.all('/:provider/:account', allow('GET', 'POST'));
  return router;
}

function pathOf(req: Request): [provider: string, account: string] {
  const { provider, account } = req.params;
  if (typeof provider !== 'string' || typeof account !== 'string' || !isUuid(account)) {
    throw new AppError('not_found', 'No such webhook address');
  }
  return [provider, account];
}
