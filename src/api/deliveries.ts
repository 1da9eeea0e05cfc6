import { Router } from 'express';
import type { Request, Response } from 'express';
import { actorOf } from '../challenges/create.ts';
import { getDelivery, previewDelivery, resendDelivery } from '../deliveries/desk.ts';
import type { PreviewDeps } from '../deliveries/desk.ts';
import { listDeliveries, viewerOf } from '../deliveries/desk-store.ts';
import { cursorOf, parseListQuery, parseNothing, parseReplay, parseTest } from '../deliveries/input.ts';
import { presentDelivery, presentDeliveryDetail } from '../deliveries/present.ts';
import { replayDeliveries } from '../deliveries/replay.ts';
import type { ReplayDeps } from '../deliveries/replay.ts';
import { sendTest } from '../deliveries/test-event.ts';
import type { TestDeps } from '../deliveries/test-event.ts';
import { AppError } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import { allow } from '../web/allow.ts';
import { allowed, authenticate, callerOf } from './authenticate.ts';
import { optionalJsonBody } from './optional-body.ts';

const PATH = '/api/v1/deliveries';

/** The delivery desk: `/api/v1/deliveries`. */
export function deliveryRoutes(deps: PreviewDeps & ReplayDeps & TestDeps): Router {
  const auth = authenticate(deps);
  const mayRead = [auth, allowed('challenges:read')];
  const mayManage = [auth, allowed('deliveries:manage'), ...optionalJsonBody];
  const router = Router();

  router.get('/', ...mayRead, async (req, res) => {
    const query = parseListQuery(req.query);
    const rows = await listDeliveries(deps.db, viewerOf(callerOf(req)), { ...query, limit: query.limit + 1 });
    const page = rows.slice(0, query.limit);
    const last = page.at(-1);
    const next_cursor = rows.length > page.length && last ? cursorOf(last.id) : null;
    res.json({ data: page.map(presentDelivery), next_cursor });
  });

  router.post('/replay', ...mayManage, async (req: Request, res: Response) => {
    const caller = callerOf(req);
    const wish = parseReplay(req.body);
    res.json(await replayDeliveries(deps, viewerOf(caller), wish, actorOf(caller)));
  });

  router.post('/test', ...mayManage, async (req: Request, res: Response) => {
    const caller = callerOf(req);
    const { callback_url } = parseTest(req.body);
    const sent = await sendTest(deps, caller, callback_url, actorOf(caller));
    res.status(202).location(`${PATH}/${sent.delivery_id}`).json(sent);
  });

  for (const path of ['/replay', '/test']) router.all(path, allow('POST'));

  router.get('/:id', ...mayRead, async (req, res) => {
    res.json(presentDeliveryDetail(await getDelivery(deps.db, idOf(req.params), viewerOf(callerOf(req)))));
  });

  // Its signatures are valid: whoever has one can send it, and so it takes more than reading.
  router.get('/:id/preview', ...mayRead, allowed('deliveries:manage'), async (req, res) => {
    res.json(await previewDelivery(deps, idOf(req.params), viewerOf(callerOf(req))));
  });

  router.post('/:id/resend', ...mayManage, async (req: Request<{ id?: string }>, res: Response) => {
    const caller = callerOf(req);
    parseNothing(req.body);
    const sent = await resendDelivery(deps, idOf(req.params), viewerOf(caller), actorOf(caller));
    res.status(202).location(`${PATH}/${sent.delivery_id}`).json(sent);
  });

  for (const path of ['/', '/:id', '/:id/preview']) router.all(path, allow('GET'));
  router.all('/:id/resend', allow('POST'));
  return router;
}

function idOf({ id }: { id?: string }): string {
  if (id === undefined || !isUuid(id)) throw new AppError('not_found', 'Delivery not found');
  return id;
}
