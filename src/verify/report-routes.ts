import { Router } from 'express';
import { isDisputable, isTerminal } from '../challenges/challenge.ts';
import { reportIncident } from '../challenges/incident.ts';
import { MAX_INCIDENT_COMMENT, parseIncidentComment } from '../challenges/input.ts';
import type { SettleDeps } from '../challenges/settle.ts';
import { AppError } from '../kernel/errors.ts';
import { formField, readForm } from './form.ts';
import { requireClick } from './guard.ts';
import { reportPage } from './report-page.tsx';
import { byBrowser } from './visit.ts';
import type { Visit, VisitDeps } from './visit.ts';

/** "This wasn't me", from the browser that pressed Start: at every step before the end, and once afterwards. */
export function reportRoutes(deps: VisitDeps & SettleDeps): Router {
  const router = Router();

  router.get('/:id/report', async (req, res) => {
    const visit = await byBrowser(deps, { req, res });
    if (!mayReport(visit)) return res.redirect(303, 'result');
    res.send(reportPage(visit, formOf(visit)));
  });

  router.post('/:id/report', readForm(), async (req, res) => {
    const visit = await byBrowser(deps, { req, res });
    await requireClick(deps, req, visit.challenge);
    const problem = problemOf(
      visit,
      () => parseIncidentComment(formField(req, 'comment')),
      MAX_INCIDENT_COMMENT,
    );
    if (problem) return void res.status(400).send(reportPage(visit, { ...formOf(visit), problem }));
    const comment = parseIncidentComment(formField(req, 'comment'));
    const detail = { ip: req.ip ?? null, browser: visit.browser.name };
    await reportIncident(deps, visit.challenge, { actor: 'target', comment, detail });
    res.redirect(303, 'result');
  });

  return router;
}

/** What is wrong with a text that the person wrote, in their language; undefined: nothing. */
export function problemOf({ frame }: Visit, parse: () => unknown, max: number): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    if (error instanceof AppError && error.code === 'invalid') return frame.texts.badText(max);
    throw error;
  }
}

function mayReport({ challenge, now }: Visit): boolean {
  return !isTerminal(challenge.status) || isDisputable(challenge, now);
}

function formOf({ challenge }: Visit) {
  const back = isTerminal(challenge.status) ? 'result' : 'answer';
  return { action: `/challenge/${challenge.id}/report`, back: `/challenge/${challenge.id}/${back}` };
}
