import { Router } from 'express';
import { isTerminal } from '../challenges/challenge.ts';
import { SANDBOX } from '../challenges/choice.ts';
import { INCIDENT_REPORTED, settle } from '../challenges/settle.ts';
import type { Change, SettleDeps } from '../challenges/settle.ts';
import { incidentComment } from '../challenges/written.ts';
import { stop } from '../web/stop.ts';
import { formField, readForm } from './form.ts';
import { requireClick } from './guard.ts';
import { methodOf } from './method.ts';
import { sandboxPage } from './pages.tsx';
import { byBrowser, withDevice } from './visit.ts';
import type { BoundVisit, On, VisitDeps } from './visit.ts';

/** What the person can do in the sandbox, and what becomes of the challenge. */
const SANDBOX_CHANGES: { [decision: string]: (comment: string | null) => Pick<Change, 'to' | 'fields'> } = {
  approve: () => ({ to: 'verified', fields: { auth_method: SANDBOX } }),
  decline: () => ({ to: 'failed', fields: { auth_method: SANDBOX, failure_reason: 'declined' } }),
  report: (incident_comment) => ({
    to: 'failed',
    fields: { auth_method: SANDBOX, failure_reason: INCIDENT_REPORTED, incident_comment },
  }),
};

/** Where the developer plays the person, and only in test mode. */
export function sandboxRoutes(deps: VisitDeps & SettleDeps): Router {
  const router = Router();

  router.get('/:id/sandbox', async (req, res) => {
    const visit = await enter(deps, { req, res });
    if (isTerminal(visit.challenge.status)) return res.redirect(303, 'result');
    res.send(sandboxPage(withDevice(visit)));
  });

  router.post('/:id/sandbox', readForm(), async (req, res) => {
    const { challenge } = await enter(deps, { req, res });
    await requireClick(deps, req, challenge, { name: 'decision', values: Object.keys(SANDBOX_CHANGES) });
    const decision = formField(req, 'decision');
    const change = SANDBOX_CHANGES[decision]?.(incidentComment(formField(req, 'comment')));
    if (change) await settle(deps, { challengeId: challenge.id, actor: 'target', ...change });
    res.redirect(303, 'result');
  });

  return router;
}

async function enter(deps: VisitDeps, on: On): Promise<BoundVisit> {
  const visit = await byBrowser(deps, on);
  if (methodOf(visit.challenge) !== SANDBOX) throw stop('sandbox_only', visit.frame.brand);
  return visit;
}
