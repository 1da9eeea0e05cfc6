import { endpointsOf } from '../deliveries/endpoint.ts';
import { AppError, invalid } from '../kernel/errors.ts';
import { SIMULATED, changeOf } from './act.ts';
import { setActing } from './act-store.ts';
import type { Batches } from './batches.ts';
import { getChallenge } from './cancel.ts';
import { asOf, isTerminal } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import { parseIncidentComment, parseTargetResponse } from './input.ts';
import { applyChange } from './settle.ts';
import type { SettleDeps } from './settle.ts';
import type { Scope } from './store.ts';
import { OUTCOMES, slowly } from './test-targets.ts';
import type { Outcome } from './test-targets.ts';

/** What a program lets the person do, checked. */
export type Simulation = { outcome: Outcome; target_response: string | null; comment: string | null };

const FIELDS = ['outcome', 'target_response', 'comment'];

/**
 * Lets the target of an open challenge of test mode act at once; 404 if it is not the caller's, 409 if it has ended. That
 * the caller is of test mode is the door's to see.
 */
export async function simulateChallenge(
  deps: SettleDeps & { batches: Batches },
  id: string,
  simulation: Simulation,
  { scope, actor }: { scope: Scope; actor: string },
): Promise<Challenge> {
  const { outcome, target_response, comment } = simulation;
  const found = await getChallenge(deps, id, scope);
  const at = deps.now();
  const { to, fields } = changeOf(outcome, comment);
  const change = {
    ...{ challengeId: found.id, to, actor, detail: SIMULATED },
    fields: { ...fields, ...(target_response === null ? {} : { target_response }) },
  };
  const moved = await deps.db.transaction().execute(async (tx) => {
    const challenge = await applyChange(tx, change, at);
    if (challenge && outcome === 'slow') await setActing(tx, challenge.id, slowly(at));
    return challenge;
  });
  if (!moved) {
    const { status } = asOf(await getChallenge(deps, id, scope), deps.now());
    throw new AppError('conflict', `Challenge is already ${status}`);
  }
  if (isTerminal(moved.status)) deps.wake(endpointsOf([moved]));
  return moved;
}

/** An unknown body to what it asks for, or a 400 that names the field. */
export function parseSimulation(body: unknown): Simulation {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalid('the request body must be a JSON object');
  const given = body as { [name: string]: unknown };
  const unknown = Object.keys(given).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) throw invalid(`unknown field; use ${FIELDS.join(', ')}`, unknown.slice(0, 40));
  const outcome = OUTCOMES.find((name) => name === given.outcome);
  if (!outcome) throw invalid(`outcome must be one of ${OUTCOMES.join(', ')}`, 'outcome');
  const comment = parseIncidentComment(given.comment);
  if (comment !== null && outcome !== 'incident')
    throw invalid('comment is what the person says about an incident; leave it out otherwise', 'comment');
  return {
    outcome,
    comment,
    target_response: parseTargetResponse(given.target_response, 'target_response'),
  };
}
