import { isTerminal } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import { dispute } from './dispute.ts';
import { INCIDENT_REPORTED, settle } from './settle.ts';
import type { SettleDeps } from './settle.ts';

/** Who says that it was not them, from where, and what they say about it; `response`: what they add for whoever asks. */
export type Incident = {
  actor: string;
  comment: string | null;
  response?: string;
  detail: { [key: string]: string | null };
};

/**
 * The person says that it was not them: before the end the challenge fails with it, after `verified` it is disputed,
 * once and within the window. Undefined: there was nothing (any more) to report. That is an answer, not an error.
 */
export async function reportIncident(
  deps: SettleDeps,
  { id, status }: Challenge,
  { actor, comment, response, detail }: Incident,
): Promise<Challenge | undefined> {
  const added = response === undefined ? {} : { target_response: response };
  const fields = { failure_reason: INCIDENT_REPORTED, incident_comment: comment, ...added };
  const failed = isTerminal(status)
    ? undefined
    : await settle(deps, { challengeId: id, to: 'failed', actor, fields, detail });
  return failed ?? dispute(deps, { challengeId: id, actor, comment, detail });
}
