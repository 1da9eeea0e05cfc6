import { Router } from 'express';
import type { Request } from 'express';
import { isTerminal } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { SANDBOX } from '../challenges/choice.ts';
import { MAX_TARGET_RESPONSE } from '../challenges/input.ts';
import { respond } from '../challenges/respond.ts';
import { isLonger } from '../challenges/text.ts';
import { plainText } from '../challenges/written.ts';
import { AppError } from '../kernel/errors.ts';
import { attemptsLeft } from '../providers/report.ts';
import { findSessionUrl, startSession } from '../providers/start.ts';
import type { StartDeps } from '../providers/start.ts';
import { findLastOutcome } from '../signin/attempts-store.ts';
import { beginSignIn, findIdp, findSignInUrl } from '../signin/begin.ts';
import type { SignInDeps } from '../signin/begin.ts';
import { triesLeft } from '../signin/refuse.ts';
import { isKind } from '../signin/index.ts';
import { stop, Stop } from '../web/stop.ts';
import { formField, readForm } from './form.ts';
import { isNavigation } from './frame.ts';
import { requireClick } from './guard.ts';
import { comesBack, getLabel, methodOf } from './method.ts';
import { answerPage, awayPage, continuePage } from './pages.tsx';
import { reportPath } from './parts.tsx';
import { isReported, mayReport } from './report.ts';
import { resultPage } from './result-page.tsx';
import { retryPage } from './retry-page.tsx';
import { returnUrl } from './return.ts';
import { byBrowser, withDevice } from './visit.ts';
import type { BoundVisit, On, Visit, VisitDeps } from './visit.ts';
import { waitingPage } from './waiting-page.tsx';

export type StepDeps = StartDeps & SignInDeps & VisitDeps;

/** Time to read how it ended and to decide to stay, before the browser goes back to where the person came from (WCAG 2.2.1). */
const LEAVE_SECONDS = 20;

/** What the browser that pressed Continue goes through: adding something, the way there and back, how it ended. */
export function stepRoutes(deps: StepDeps): Router {
  const router = Router();

  router.get('/:id/answer', async (req, res) => {
    const visit = await byBrowser(deps, { req, res });
    if (isTerminal(visit.challenge.status)) return res.redirect(303, 'result');
    const response = visit.challenge.target_response ?? '';
    res.send(answerPage(withDevice(visit), { label: await getLabel(deps, visit), response }));
  });

  router.post('/:id/answer', readForm(), async (req, res) => {
    const visit = await byBrowser(deps, { req, res });
    await requireClick(deps, req, visit.challenge);
    if (isTerminal(visit.challenge.status)) return res.redirect(303, 'result');
    const label = await getLabel(deps, visit);
    const response = plainText(formField(req, 'response'));
    if (isLonger(response, MAX_TARGET_RESPONSE)) {
      const problem = visit.frame.texts.answer.tooLong(MAX_TARGET_RESPONSE);
      return void res.status(400).send(answerPage(visit, { label, response, problem }));
    }
    const saved = await respond(deps, visit.challenge, response || null);
    if (!saved) return res.redirect(303, 'result');
    await goOn(deps, { req, res }, visit);
  });

  router.get('/:id/continue', async (req, res) => {
    const visit = await byBrowser(deps, { req, res });
    const { challenge } = visit;
    const url = isTerminal(challenge.status) ? undefined : await findUrl(deps, challenge);
    if (url === undefined) return res.redirect(303, 'result');
    const onward = { url, label: await getLabel(deps, visit) };
    if (!comesBack(challenge)) return void res.send(awayPage(visit, onward));
    // A page of its own, because a redirect straight after the form would have to be allowed by form-action.
    const kind = isKind(challenge.provider) ? 'sign-in' : 'document';
    res.set('Refresh', `0; url=${url}`).send(continuePage(visit, { ...onward, kind }));
  });

  router.get('/:id/result', async (req, res) => {
    const visit = await byBrowser(deps, { req, res });
    const { challenge, domains } = visit;
    if (!isTerminal(challenge.status)) {
      const label = await getLabel(deps, visit);
      const offer = await offerOf(deps, visit, req.ip ?? null);
      if (offer) return void res.send(retryPage(withDevice(visit), { ...offer, label }));
      const goOnWith = comesBack(challenge) ? undefined : label;
      return void res.send(waitingPage(withDevice(visit), { goOnWith }));
    }
    const returnTo = returnUrl(challenge, domains);
    const leaveSeconds =
      returnTo !== undefined && leaves(deps, { req, res }, visit) ? LEAVE_SECONDS : undefined;
    if (leaveSeconds !== undefined) res.set('Refresh', `${leaveSeconds}; url=${returnTo}`);
    const reportAt = mayReport(visit) ? reportPath(visit) : undefined;
    res.send(resultPage(withDevice(visit), { reportAt, returnTo, leaveSeconds }));
  });

  router.post('/:id/retry', readForm(), async (req, res) => {
    const visit = await byBrowser(deps, { req, res });
    await requireClick(deps, req, visit.challenge);
    if (isTerminal(visit.challenge.status)) return res.redirect(303, 'result');
    await goOn(deps, { req, res }, visit);
  });

  return router;
}

/** Whether the page is to leave by itself: only once, for whoever comes back wants to read, or to report. */
function leaves({ browsers }: StepDeps, { req, res }: On, visit: Visit): boolean {
  // Nobody who has just reported is hurried on, and wait.js does not take the turn of the page that it asks for.
  if (isReported(visit) || 'stay' in req.query || !isNavigation(req)) return false;
  return browsers.isFirst(req, res, visit.challenge);
}

/** Answers a click that begins: on to where the person proves who they are; when nobody answers there, a page that offers to try again. */
async function goOn(deps: StepDeps, { req, res }: On, visit: BoundVisit): Promise<void> {
  const { challenge, frame } = visit;
  try {
    res.redirect(303, `/challenge/${challenge.id}/${await begin(deps, req, visit)}`);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'unavailable' || error instanceof Stop) throw error;
    const offer = await offerOf(deps, visit, req.ip ?? null);
    if (!offer) throw stop('idp_away', frame.brand);
    const label = await getLabel(deps, visit);
    res.status(503).send(retryPage(visit, { ...offer, label, reason: 'idp_unavailable' }));
  }
}

async function begin(
  deps: StepDeps,
  req: Request,
  { challenge, browser, frame }: BoundVisit,
): Promise<string> {
  const method = methodOf(challenge);
  if (method === SANDBOX) return SANDBOX;
  if (method === undefined) throw stop('not_set_up', frame.brand);
  try {
    if (isKind(method)) await beginSignIn(deps, challenge, { ...browser, address: req.ip ?? null });
    else await startSession(deps, challenge);
    return 'continue';
  } catch (error) {
    // Another click took the last attempt, or another browser took over.
    if (error instanceof AppError && error.code === 'conflict') return 'result';
    throw error;
  }
}

function findUrl(deps: StepDeps, challenge: Challenge): Promise<string | undefined> {
  return isKind(challenge.provider) ? findSignInUrl(deps, challenge) : findSessionUrl(deps, challenge);
}

/** What the person may begin now; undefined while a run is under way, for then its result is awaited, and when none is left. */
async function offerOf(
  deps: StepDeps,
  { challenge, browser }: BoundVisit,
  address: string | null,
): Promise<{ left: number; all: number; reason: string | null } | undefined> {
  const method = methodOf(challenge);
  if (method === undefined || method === SANDBOX) return undefined;
  if (isKind(method)) {
    const idp = await findIdp(deps, challenge);
    const tries =
      idp && (await triesLeft(deps, { challenge_id: challenge.id, browser: browser.name, address }, idp));
    return tries && { ...tries, reason: await findLastOutcome(deps.db, challenge.id) };
  }
  if ((await findSessionUrl(deps, challenge)) !== undefined) return undefined;
  const left = await attemptsLeft(deps, challenge);
  return left > 0 ? { left, all: challenge.provider_attempts, reason: null } : undefined;
}
