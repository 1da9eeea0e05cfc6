import { Router } from 'express';
import { isTerminal } from '../challenges/challenge.ts';
import type { SettleDeps } from '../challenges/settle.ts';
import { readForm } from './form.ts';
import { requireClick } from './guard.ts';
import { reportPage } from './report-page.tsx';
import { mayReport, takeReport } from './report.ts';
import { byBrowser } from './visit.ts';
import type { Visit, VisitDeps } from './visit.ts';

/** "This wasn't me", from the browser that pressed Continue: at every step before the end, and once afterwards. */
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
    await takeReport(deps, req, visit, { browser: visit.browser.name });
    res.redirect(303, 'result');
  });

  return router;
}

function formOf({ challenge }: Visit) {
  const back = isTerminal(challenge.status) ? 'result' : 'answer';
  return { action: `/challenge/${challenge.id}/report`, back: `/challenge/${challenge.id}/${back}` };
}
