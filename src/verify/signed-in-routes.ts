import { Router } from 'express';
import { isUuid } from '../kernel/id.ts';
import { concludeSignIn, noteOtherBrowser } from '../signin/conclude.ts';
import type { SignInDeps } from '../signin/begin.ts';
import { Stop } from '../web/stop.ts';
import { textOf } from './form.ts';
import { byBrowser } from './visit.ts';
import type { VisitDeps } from './visit.ts';

/** Where the browser comes back to with its ticket: only if it is the one that clicked does the sign-in count. */
export function signedInRoutes(deps: VisitDeps & SignInDeps): Router {
  const router = Router();
  // Whoever only looks must not use up a ticket that counts once.
  router.head('/:id/signed-in', (_req, res) => void res.end());
  router.get('/:id/signed-in', async (req, res) => {
    const ticket = textOf((req.query as { ticket?: unknown }).ticket);
    const shown = { ticket, address: req.ip ?? null };
    const visit = await byBrowser(deps, { req, res }).catch(async (error: unknown) => {
      if (error instanceof Stop && isUuid(req.params.id)) await noteOtherBrowser(deps, req.params.id, shown);
      throw error;
    });
    await concludeSignIn(deps, visit.challenge, { ...shown, browser: visit.browser.name });
    res.redirect(303, 'result');
  });
  return router;
}
