import { Router } from 'express';
import { isTerminal } from '../challenges/challenge.ts';
import { settle } from '../challenges/settle.ts';
import type { SettleDeps } from '../challenges/settle.ts';
import { isKind } from '../signin/index.ts';
import { confirmedPage } from './confirmed-page.tsx';
import { formField, readForm, textOf } from './form.ts';
import { isFramed } from './frame.ts';
import { requireClick } from './guard.ts';
import { getLabel } from './method.ts';
import type { MethodDeps } from './method.ts';
import { startPage } from './pages.tsx';
import { reportPage } from './report-page.tsx';
import { isReported, mayReport, takeReport } from './report.ts';
import { resultPage } from './result-page.tsx';
import { byLink } from './visit.ts';
import type { Visit, VisitDeps } from './visit.ts';

/** What whoever holds the link can do: look, press Continue, and say that it was not them. */
export function startRoutes(deps: VisitDeps & SettleDeps & MethodDeps): Router {
  const { browsers } = deps;
  const router = Router();

  router.get('/start/:id', async (req, res) => {
    const token = textOf((req.query as { token?: unknown }).token);
    const visit = await byLink(deps, { req, res }, token);
    if (isTerminal(visit.challenge.status)) return void res.status(410).send(endedPage(visit, token));
    const label = await getLabel(deps, visit);
    const framed = isFramed(req);
    const ownTabOnly = framed && isKind(visit.challenge.provider);
    const started = visit.challenge.status === 'in-progress';
    // Before the click, so that a double click comes with one cookie; that alone lets nobody in.
    browsers.bind(req, res, visit.challenge);
    res.send(startPage(visit, { token, label, framed, ownTabOnly, started }));
  });

  router.post('/start/:id', readForm(), async (req, res) => {
    const token = formField(req, 'token');
    const visit = await byLink(deps, { req, res }, token);
    const { challenge } = visit;
    await requireClick(deps, req, challenge);
    if (isTerminal(challenge.status)) return void res.status(410).send(endedPage(visit, token));
    await getLabel(deps, visit);
    const { hash, name } = browsers.bind(req, res, challenge);
    const moved = await settle(deps, {
      challengeId: challenge.id,
      to: 'in-progress',
      actor: 'target',
      // What another browser told, and what was said in it, is not this person's; what was said before any was, is.
      fields: {
        browser_hash: hash,
        ...(visit.browser ? {} : { device_fingerprint: null }),
        ...(visit.browser || challenge.browser_hash === null ? {} : { target_response: null }),
      },
      detail: { ip: req.ip ?? null, browser: name },
    });
    res.redirect(303, `/challenge/${challenge.id}/${moved ? 'answer' : 'result'}`);
  });

  router.get('/start/:id/report', async (req, res) => {
    const token = textOf((req.query as { token?: unknown }).token);
    const visit = await byLink(deps, { req, res }, token);
    if (mayReport(visit)) return void res.send(reportPage(visit, formOf(visit, token)));
    res.status(isReported(visit) ? 200 : 410).send(endedPage(visit, token));
  });

  router.post('/start/:id/report', readForm(), async (req, res) => {
    const token = formField(req, 'token');
    const visit = await byLink(deps, { req, res }, token);
    await requireClick(deps, req, visit.challenge);
    if (!mayReport(visit) && !isReported(visit)) return void res.status(410).send(endedPage(visit, token));
    await takeReport(deps, req, visit, { by: 'link' });
    // To a page that can be loaded again without sending the form again.
    res.redirect(303, linkTo(visit, '/report', token));
  });

  return router;
}

function endedPage(visit: Visit, token: string): string {
  const { challenge, browser } = visit;
  const reportAt = mayReport(visit) ? linkTo(visit, '/report', token) : undefined;
  // Nobody is thanked for what they may not have done.
  if (challenge.status === 'verified' && !challenge.disputed && !browser)
    return confirmedPage(visit, { reportAt, bySignIn: isKind(challenge.auth_method) });
  return resultPage(visit, { reportAt });
}

function formOf(visit: Visit, token: string) {
  const action = `/challenge/start/${visit.challenge.id}/report`;
  return { action, token, back: linkTo(visit, '', token) };
}

function linkTo({ challenge }: Visit, path: string, token: string): string {
  return `/challenge/start/${challenge.id}${path}?${new URLSearchParams({ token }).toString()}`;
}
