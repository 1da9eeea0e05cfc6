import { Router } from 'express';
import type { Request, Response } from 'express';
import { actorOf } from '../challenges/create.ts';
import { viewerOf } from '../deliveries/desk-store.ts';
import { disableEndpoint, enableEndpoint, getEndpoint } from '../deliveries/enable.ts';
import type { EnableDeps } from '../deliveries/enable.ts';
import { listEndpoints } from '../deliveries/endpoint-store.ts';
import { cursorOf, parseEnable, parseNothing, parsePageQuery } from '../deliveries/input.ts';
import { presentEndpoint } from '../deliveries/present.ts';
import { AppError } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import { allow } from '../web/allow.ts';
import { allowed, authenticate, callerOf } from './authenticate.ts';
import { optionalJsonBody } from './optional-body.ts';

type Addressed = Request<{ id?: string }>;

/** Where callbacks go: `/api/v1/endpoints`. */
export function endpointRoutes(deps: EnableDeps): Router {
  const auth = authenticate(deps);
  const mayRead = [auth, allowed('challenges:read')];
  const mayManage = [auth, allowed('deliveries:manage'), ...optionalJsonBody];
  const router = Router();

  router.get('/', ...mayRead, async (req, res) => {
    const { limit, after } = parsePageQuery(req.query);
    const rows = await listEndpoints(deps.db, viewerOf(callerOf(req)), { limit: limit + 1, after });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const next_cursor = rows.length > page.length && last ? cursorOf(last.id) : null;
    res.json({ data: page.map((row) => presentEndpoint(row, deps.now())), next_cursor });
  });

  router.get('/:id', ...mayRead, async (req, res) => {
    const endpoint = await getEndpoint(deps.db, idOf(req.params), viewerOf(callerOf(req)));
    res.json(presentEndpoint(endpoint, deps.now()));
  });

  router.post('/:id/disable', ...mayManage, async (req: Addressed, res: Response) => {
    const caller = callerOf(req);
    parseNothing(req.body);
    const endpoint = await disableEndpoint(deps, idOf(req.params), viewerOf(caller), actorOf(caller));
    res.json(presentEndpoint(endpoint, deps.now()));
  });

  router.post('/:id/enable', ...mayManage, async (req: Addressed, res: Response) => {
    const caller = callerOf(req);
    const wish = parseEnable(req.body);
    const { endpoint, replayed, capped } = await enableEndpoint(
      deps,
      idOf(req.params),
      viewerOf(caller),
      actorOf(caller),
      wish,
    );
    res.json({ ...presentEndpoint(endpoint, deps.now()), replayed, capped });
  });

  for (const path of ['/', '/:id']) router.all(path, allow('GET'));
  for (const path of ['/:id/disable', '/:id/enable']) router.all(path, allow('POST'));
  return router;
}

function idOf({ id }: { id?: string }): string {
  if (id === undefined || !isUuid(id)) throw new AppError('not_found', 'Endpoint not found');
  return id;
}
