import { Router } from 'express';
import { isDisputable, isTerminal } from '../challenges/challenge.ts';
import { reportIncident } from '../challenges/incident.ts';
import { MAX_INCIDENT_COMMENT, parseIncidentComment } from '../challenges/input.ts';
import { settle } from '../challenges/settle.ts';
import type { SettleDeps } from '../challenges/settle.ts';
import { isKind } from '../signin/index.ts';
import { stop } from '../web/stop.ts';
import { formField, readForm, textOf } from './form.ts';
import { isFramed } from './frame.ts';
import { requireClick } from './guard.ts';
import { getLabel } from './method.ts';
import type { MethodDeps } from './method.ts';
import { startPage } from './pages.tsx';
import { reportPage } from './report-page.tsx';
import { problemOf } from './report-routes.ts';
import { resultPage } from './result-page.tsx';
import { byLink } from './visit.ts';
import type { Visit, VisitDeps } from './visit.ts';

/** What whoever holds the link can do: look, press Start, and say that it was not them. */
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
      // What another browser told, and what was said in it, is not this person's.
      fields: {
        browser_hash: hash,
        ...(visit.browser ? {} : { device_fingerprint: null, target_response: null }),
      },
      detail: { ip: req.ip ?? null, browser: name },
    });
    res.redirect(303, `/challenge/${challenge.id}/${moved ? 'answer' : 'result'}`);
  });

  router.get('/start/:id/report', async (req, res) => {
    const token = textOf((req.query as { token?: unknown }).token);
    const visit = await byLink(deps, { req, res }, token);
    if (!mayReport(visit)) return void res.status(410).send(resultPage(visit));
    res.send(reportPage(visit, formOf(visit, token)));
  });

  router.post('/start/:id/report', readForm(), async (req, res) => {
    const token = formField(req, 'token');
    const visit = await byLink(deps, { req, res }, token);
    await requireClick(deps, req, visit.challenge);
    if (!mayReport(visit)) return void res.status(410).send(resultPage(visit));
    const problem = problemOf(
      visit,
      () => parseIncidentComment(formField(req, 'comment')),
      MAX_INCIDENT_COMMENT,
    );
    if (problem) return void res.status(400).send(reportPage(visit, { ...formOf(visit, token), problem }));
    const comment = parseIncidentComment(formField(req, 'comment'));
    const detail = { ip: req.ip ?? null, by: 'link' };
    const reported = await reportIncident(deps, visit.challenge, { actor: 'target', comment, detail });
    if (!reported) throw stop('not_a_link', visit.frame.brand);
    res.send(resultPage({ ...visit, challenge: reported }));
  });

  return router;
}

function mayReport({ challenge, now }: Visit): boolean {
  return !isTerminal(challenge.status) || isDisputable(challenge, now);
}

function endedPage(visit: Visit, token: string): string {
  return resultPage(visit, { reportAt: mayReport(visit) ? linkTo(visit, '/report', token) : undefined });
}

function formOf(visit: Visit, token: string) {
  const action = `/challenge/start/${visit.challenge.id}/report`;
  return { action, token, back: linkTo(visit, '', token) };
}

function linkTo({ challenge }: Visit, path: string, token: string): string {
  return `/challenge/start/${challenge.id}${path}?${new URLSearchParams({ token }).toString()}`;
}
