import type { Request } from 'express';
import { isDisputable, isTerminal } from '../challenges/challenge.ts';
import { reportIncident } from '../challenges/incident.ts';
import type { SettleDeps } from '../challenges/settle.ts';
import { incidentComment } from '../challenges/written.ts';
import { formField } from './form.ts';
import type { View } from './parts.tsx';

/** Whether the person may say that it was not them: until the end, and for a while after it was confirmed. */
export function mayReport({ challenge, now }: View): boolean {
  return !isTerminal(challenge.status) || isDisputable(challenge, now);
}

/** Whether somebody has said so. */
export function isReported({ challenge }: View): boolean {
  return challenge.incident_reported_at !== null;
}

/** Takes what the form says. Nothing happens if it is too late, or said already. */
export async function takeReport(
  deps: SettleDeps,
  req: Request<{ id: string }>,
  { challenge }: View,
  source: { by: 'link' } | { browser: string },
): Promise<void> {
  const comment = incidentComment(formField(req, 'comment'));
  const detail = { ip: req.ip ?? null, ...source };
  await reportIncident(deps, challenge, { actor: 'target', comment, detail });
}
