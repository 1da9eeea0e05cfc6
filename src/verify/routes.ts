import { Router } from 'express';
import type { RequestHandler } from 'express';
import { isDisputable, isTerminal } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { SANDBOX } from '../challenges/choice.ts';
import { dispute } from '../challenges/dispute.ts';
import { settle } from '../challenges/settle.ts';
import { AppError } from '../kernel/errors.ts';
import { attemptsLeft } from '../providers/report.ts';
import { findSessionUrl, startSession } from '../providers/start.ts';
import type { StartDeps } from '../providers/start.ts';
import { allow } from '../web/allow.ts';
import { letFrame } from '../web/security.ts';
import { deviceFacts } from './device.ts';
import { formField, readForm, refuseForeignSite, textOf } from './form.ts';
import { isFramed, isOwnStep } from './frame.ts';
import { comesBack, labelOf, methodOf } from './method.ts';
import { awayPage, continuePage, startPage } from './pages.tsx';
import { resultPage, retryPage } from './result-page.tsx';
import { returnUrl } from './return.ts';
import { sandboxRoutes } from './sandbox.ts';
import { byBrowser, byLink } from './visit.ts';
import type { VisitDeps } from './visit.ts';

export type VerifyDeps = StartDeps & VisitDeps;

const WAIT_SECONDS = 3;
/** Time to read how it ended, before the browser goes back to where the person came from. */
const LEAVE_SECONDS = 5;

/** The target's door: `/challenge`. Only a click changes anything; scanners and previews may open every page. */
export function verifyRoutes(deps: VerifyDeps): Router {
  const { now, browsers } = deps;
  const router = Router();
  router.use(showOwnErrors);

  router.get('/start/:id', async (req, res) => {
    const token = textOf((req.query as { token?: unknown }).token);
    const { challenge } = await byLink(deps, { req, res }, token);
    if (isTerminal(challenge.status)) {
      res.status(410).send(resultPage(challenge));
      return;
    }
    if (methodOf(challenge) === undefined) throw notSetUp();
    res.send(startPage(challenge, { token, label: labelOf(challenge), now: now(), framed: isFramed(req) }));
  });

  router.post('/start/:id', readForm(), async (req, res) => {
    refuseForeignSite(req);
    const { challenge } = await byLink(deps, { req, res }, formField(req, 'token'));
    if (isTerminal(challenge.status)) {
      res.status(410).send(resultPage(challenge));
      return;
    }
    if (methodOf(challenge) === undefined) throw notSetUp();
    const browser_hash = browsers.bind(req, res, challenge);
    const facts = deviceFacts(req.get('user-agent'), req.ip);
    const moved = await settle(deps, {
      challengeId: challenge.id,
      to: 'in-progress',
      actor: 'target',
      fields: { browser_hash, device_fingerprint: facts },
      detail: { ip: facts.ip },
    });
    res.redirect(303, `/challenge/${challenge.id}/${moved ? await next(deps, moved) : 'result'}`);
  });

  router.get('/:id/continue', async (req, res) => {
    const { challenge } = await byBrowser(deps, { req, res });
    const url = isTerminal(challenge.status) ? undefined : await findSessionUrl(deps, challenge);
    if (url === undefined) return res.redirect(303, 'result');
    const onward = { url, label: labelOf(challenge) };
    if (!comesBack(challenge)) return res.send(awayPage(challenge, onward));
    // A page of its own, because a redirect straight after the form would have to be allowed by form-action.
    res.set('Refresh', `1; url=${url}`).send(continuePage(onward));
  });

  router.get('/:id/result', async (req, res) => {
    const { challenge, domains } = await byBrowser(deps, { req, res });
    if (!isTerminal(challenge.status)) {
      const left = await attemptsToOffer(deps, challenge);
      if (left > 0) res.send(retryPage(challenge, { left, label: labelOf(challenge) }));
      else {
        const goOnWith = comesBack(challenge) ? undefined : labelOf(challenge);
        res.set('Refresh', String(WAIT_SECONDS)).send(resultPage(challenge, { goOnWith }));
      }
      return;
    }
    const returnTo = returnUrl(challenge, domains);
    // Only once: whoever comes back wants to read, or to report. And nobody who has just reported is hurried on.
    const leaving =
      returnTo !== undefined &&
      challenge.incident_reported_at === null &&
      browsers.isFirst(req, res, challenge);
    if (leaving) res.set('Refresh', `${LEAVE_SECONDS}; url=${returnTo}`);
    res.send(resultPage(challenge, { mayReport: isDisputable(challenge, now()), returnTo, leaving }));
  });

  router.post('/:id/retry', async (req, res) => {
    refuseForeignSite(req);
    const { challenge } = await byBrowser(deps, { req, res });
    res.redirect(303, isTerminal(challenge.status) ? 'result' : await next(deps, challenge));
  });

  router.post('/:id/report', async (req, res) => {
    refuseForeignSite(req);
    const { challenge } = await byBrowser(deps, { req, res });
    await dispute(deps, { challengeId: challenge.id, actor: 'target', detail: { ip: req.ip ?? null } });
    res.redirect(303, 'result');
  });

  router.use(sandboxRoutes(deps));
  for (const path of ['/start/:id', '/:id/sandbox']) router.all(path, allow('GET', 'POST'));
  for (const path of ['/:id/report', '/:id/retry']) router.all(path, allow('POST'));
  for (const path of ['/:id/continue', '/:id/result']) router.all(path, allow('GET'));
  return router;
}

/** What goes wrong after a click inside a frame can be read there: our pages are in it already, and errors have nothing to press. */
const showOwnErrors: RequestHandler = (req, res, go) => {
  if (isOwnStep(req)) letFrame(req, res, ['*']);
  go();
};

/** The page after a click that begins, with a session to go to. */
async function next(deps: VerifyDeps, challenge: Challenge): Promise<string> {
  const method = methodOf(challenge);
  if (method === SANDBOX) return SANDBOX;
  if (method === undefined) throw notSetUp();
  try {
    await startSession(deps, challenge);
    return 'continue';
  } catch (error) {
    // Another click took the last attempt.
    if (error instanceof AppError && error.code === 'conflict') return 'result';
    throw error;
  }
}

/** How many runs the person may still begin; none while one is under way, for then its result is awaited. */
async function attemptsToOffer(deps: VerifyDeps, challenge: Challenge): Promise<number> {
  const method = methodOf(challenge);
  if (method === undefined || method === SANDBOX) return 0;
  if ((await findSessionUrl(deps, challenge)) !== undefined) return 0;
  return attemptsLeft(deps, challenge);
}

function notSetUp(): AppError {
  return new AppError(
    'unavailable',
    'No identity provider is set up. Tell your help desk; this is not your mistake.',
  );
}
