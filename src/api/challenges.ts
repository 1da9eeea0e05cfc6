import { Router } from 'express';
import type { Request, RequestHandler, Response } from 'express';
import { cancelChallenge, getChallenge } from '../challenges/cancel.ts';
import { actorOf, createChallenge, createOnce } from '../challenges/create.ts';
import { consumeChallenge } from '../challenges/consume.ts';
import { eraseChallenge } from '../challenges/erase.ts';
import type { EraseDeps } from '../challenges/erase.ts';
import { parseCreateChallenge, parseIdempotencyKey } from '../challenges/input.ts';
import { cursorOf, parseListQuery } from '../challenges/list-input.ts';
import { preflight } from '../challenges/choice.ts';
import { presentChallenge } from '../challenges/present.ts';
import { proveChallenge } from '../challenges/proof.ts';
import type { SettleDeps } from '../challenges/settle.ts';
import { parseSimulation, simulateChallenge } from '../challenges/simulate.ts';
import { listChallenges } from '../challenges/store.ts';
import { AppError } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import { currentTraceparent, traceparentOf } from '../kernel/trace.ts';
import { createInSlack } from '../slack/create.ts';
import type { SlackDeps } from '../slack/deps.ts';
import { allow } from '../web/allow.ts';
import { allowed, authenticate, callerOf } from './authenticate.ts';
import { jsonBody } from './json-body.ts';

/** The REST door: `/api/v1/challenges`. */
export function challengeRoutes(deps: SlackDeps & SettleDeps & EraseDeps): Router {
  const auth = authenticate(deps);
  const mayCreate = [auth, allowed('challenges:create')];
  const mayRead = [auth, allowed('challenges:read')];
  const maySimulate = [...mayCreate, testOnly, ...jsonBody];
  const mayErase = [auth, allowed('challenges:erase')];
  const router = Router();

  router.post('/', ...mayCreate, ...jsonBody, async (req: Request, res: Response) => {
    const caller = callerOf(req);
    const key = parseIdempotencyKey(req.get('idempotency-key'));
    const { input, warnings: ignored } = parseCreateChallenge(req.body);
    const about = {
      warnings: [...ignored, ...preflight(caller)],
      traceparent: currentTraceparent() ?? traceparentOf(req.get('traceparent')),
    };
    const { slack } = input;
    const { answer, replayed } = slack
      ? await createInSlack(deps, caller, { input: { ...input, slack }, key }, about)
      : key === undefined
        ? { answer: await createChallenge(deps, caller, input, about), replayed: false }
        : await createOnce(deps, caller, { input, key }, about);
    if (replayed) res.set('Idempotency-Replayed', 'true');
    res.status(201).location(`/api/v1/challenges/${answer.challenge_id}`).json(answer);
  });

  router.get('/', ...mayRead, async (req, res) => {
    const query = parseListQuery(req.query);
    const rows = await listChallenges(
      deps.db,
      callerOf(req),
      { ...query, limit: query.limit + 1 },
      deps.now(),
    );
    const page = rows.slice(0, query.limit);
    const last = page.at(-1);
    const next_cursor = rows.length > page.length && last ? cursorOf(last.id) : null;
    res.json({ data: page.map((row) => presentChallenge(row, deps.now())), next_cursor });
  });

  router.get('/:id', ...mayRead, async (req, res) => {
    const challenge = await getChallenge(deps, idOf(req.params), callerOf(req));
    res.json(presentChallenge(challenge, deps.now()));
  });

  router.get('/:id/proof', ...mayRead, async (req, res) => {
    res.json(await proveChallenge(deps, idOf(req.params), callerOf(req)));
  });

  router.post('/:id/cancel', ...mayCreate, async (req, res) => {
    const caller = callerOf(req);
    const challenge = await cancelChallenge(deps, idOf(req.params), caller, actorOf(caller));
    res.json(presentChallenge(challenge, deps.now()));
  });

  router.post('/:id/consume', ...mayCreate, async (req, res) => {
    const caller = callerOf(req);
    const challenge = await consumeChallenge(deps, idOf(req.params), caller, actorOf(caller));
    res.json(presentChallenge(challenge, deps.now()));
  });

  router.post('/:id/simulate', ...maySimulate, async (req: Request<{ id?: string }>, res: Response) => {
    const scope = callerOf(req);
    const by = { scope, actor: actorOf(scope) };
    const challenge = await simulateChallenge(deps, idOf(req.params), parseSimulation(req.body), by);
    res.json(presentChallenge(challenge, deps.now()));
  });

  router.post('/:id/erase', ...mayErase, async (req, res) => {
    const caller = callerOf(req);
    const challenge = await eraseChallenge(deps, idOf(req.params), caller, actorOf(caller));
    res.json(presentChallenge(challenge, deps.now()));
  });

  router.all('/', allow('GET', 'POST'));
  for (const path of ['/:id', '/:id/proof']) router.all(path, allow('GET'));
  for (const path of ['/:id/cancel', '/:id/consume', '/:id/simulate', '/:id/erase'])
    router.all(path, allow('POST'));
  return router;
}

const testOnly: RequestHandler = (req, _res, next) => {
  if (callerOf(req).mode === 'live')
    throw new AppError(
      'forbidden',
      'Only challenges of test mode can be simulated; this key is for live mode',
    );
  next();
};

function idOf({ id }: { id?: string }): string {
  if (id === undefined || !isUuid(id)) throw new AppError('not_found', 'Challenge not found');
  return id;
}
