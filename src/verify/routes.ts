import { Router } from 'express';
import type { RequestHandler } from 'express';
import type { SettleDeps } from '../challenges/settle.ts';
import { allow } from '../web/allow.ts';
import { letFrame } from '../web/security.ts';
import { deviceRoutes } from './device-routes.ts';
import { isOwnStep } from './frame.ts';
import { reportRoutes } from './report-routes.ts';
import { sandboxRoutes } from './sandbox.ts';
import { signedInRoutes } from './signed-in-routes.ts';
import { startRoutes } from './start-routes.ts';
import { stepRoutes } from './step-routes.ts';
import type { StepDeps } from './step-routes.ts';

type VerifyDeps = StepDeps & SettleDeps;

/** The target's door: `/challenge`. Only a click changes anything; scanners and previews may open every page. */
export function verifyRoutes(deps: VerifyDeps): Router {
  const router = Router();
  router.use(showOwnErrors);
  router.use(startRoutes(deps), stepRoutes(deps), signedInRoutes(deps));
  router.use(reportRoutes(deps), sandboxRoutes(deps), deviceRoutes(deps));
  for (const path of ['/start/:id', '/start/:id/report', '/:id/answer', '/:id/report', '/:id/sandbox'])
    router.all(path, allow('GET', 'POST'));
  for (const path of ['/:id/retry', '/:id/device']) router.all(path, allow('POST'));
  for (const path of ['/:id/continue', '/:id/result', '/:id/signed-in']) router.all(path, allow('GET'));
  return router;
}

/** What goes wrong after a click inside a frame can be read there: our pages are in it already, and errors have nothing to press. */
const showOwnErrors: RequestHandler = (req, res, go) => {
  if (isOwnStep(req)) letFrame(req, res, ['*']);
  go();
};
