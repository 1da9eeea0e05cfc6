import { Router } from 'express';
import type { Request, Response } from 'express';
import { actorOf } from '../challenges/create.ts';
import { eraseTarget, parseErasure } from '../challenges/erase.ts';
import type { EraseDeps } from '../challenges/erase.ts';
import { allow } from '../web/allow.ts';
import { allowed, authenticate, callerOf } from './authenticate.ts';
import { jsonBody } from './json-body.ts';

/** Taking a person's data out of all their challenges: `/api/v1/erasures`. */
export function erasureRoutes(deps: EraseDeps): Router {
  const router = Router();
  const mayErase = [authenticate(deps), allowed('challenges:erase')];

  router.post('/', ...mayErase, ...jsonBody, async (req: Request, res: Response) => {
    const caller = callerOf(req);
    res.json(await eraseTarget(deps, parseErasure(req.body), caller, actorOf(caller)));
  });

  router.all('/', allow('POST'));
  return router;
}
