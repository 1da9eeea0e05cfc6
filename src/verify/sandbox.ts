import { Router } from 'express';
import type { Request, Response } from 'express';
import { isTerminal } from '../challenges/challenge.ts';
import { SANDBOX } from '../challenges/choice.ts';
import { parseIncidentComment } from '../challenges/input.ts';
import { INCIDENT_REPORTED, settle } from '../challenges/settle.ts';
import type { Change, SettleDeps } from '../challenges/settle.ts';
import { AppError, invalid } from '../kernel/errors.ts';
import { formField, readForm, refuseForeignSite } from './form.ts';
import { methodOf } from './method.ts';
import { sandboxPage } from './pages.tsx';
import { NOT_A_LINK, byBrowser } from './visit.ts';
import type { Visit, VisitDeps } from './visit.ts';

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
    const { challenge } = await enter(deps, { req, res });
    if (isTerminal(challenge.status)) return res.redirect(303, 'result');
    res.send(sandboxPage(challenge, deps.now()));
  });

  router.post('/:id/sandbox', readForm(), async (req, res) => {
    refuseForeignSite(req);
    const { challenge } = await enter(deps, { req, res });
    const decision = formField(req, 'decision');
    const changeFor = Object.hasOwn(SANDBOX_CHANGES, decision) ? SANDBOX_CHANGES[decision] : undefined;
    if (!changeFor) throw invalid('decision must be approve, decline or report', 'decision');
    const change = changeFor(parseIncidentComment(formField(req, 'comment')));
    await settle(deps, { challengeId: challenge.id, actor: 'target', ...change });
    res.redirect(303, 'result');
  });

  return router;
}

async function enter(deps: VisitDeps, on: { req: Request<{ id: string }>; res: Response }): Promise<Visit> {
  const visit = await byBrowser(deps, on);
  if (methodOf(visit.challenge) !== SANDBOX) throw new AppError('not_found', NOT_A_LINK);
  return visit;
}
