import { asOf, DISPUTE_WINDOW_HOURS, isDisputable, isTerminal } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { MAX_TARGET_RESPONSE } from '../challenges/input.ts';
import { reportIncident } from '../challenges/incident.ts';
import { respondOutside } from '../challenges/respond.ts';
import { INCIDENT_REPORTED } from '../challenges/settle.ts';
import { findAnyChallenge, recordAudit } from '../challenges/store.ts';
import { incidentComment, plainText } from '../challenges/written.ts';
import { isUuid } from '../kernel/id.ts';
import type { SlackDeps } from './deps.ts';
import type { Pressed } from './interact.ts';
import { countPress, findCard } from './messages-store.ts';
import { keepReply } from './reply.ts';
import type { Workspace } from './workspace.ts';

/** What became of a press. */
export type Taken = 'taken' | 'repeated' | 'unknown' | 'wrong_presser';

const NOT_YOURS = 'This request is not for you, so nothing was changed.';
const TELL_SOMEBODY = 'If it was not you, tell your IT or security team.';
const UNKNOWN = `This request is no longer kept, so nothing was changed. ${TELL_SOMEBODY}`;

/**
 * A press in the card counts once, and only if it is by the person whom the card asks. What there is to say to whoever
 * pressed is kept as an answer; what the card shows follows from the challenge.
 */
export async function takePress(deps: SlackDeps, workspace: Workspace, pressed: Pressed): Promise<Taken> {
  const { db, now } = deps;
  const card = isUuid(pressed.challengeId) ? await findCard(db, pressed.challengeId) : undefined;
  const challenge = card && (await findAnyChallenge(db, card.challenge_id));
  const reply = { ...pressed, challenge_id: challenge?.id ?? null };
  // Of another workspace's challenge nobody here learns that it exists.
  if (!card || challenge?.slack_instance_id !== workspace.id) {
    await keepReply(deps, workspace, { ...reply, challenge_id: null }, UNKNOWN);
    return 'unknown';
  }
  if (card.target_user !== pressed.user) {
    await keepReply(deps, workspace, reply, NOT_YOURS, (tx) =>
      recordAudit(tx, {
        ...{ tenant_id: challenge.tenant_id, challenge_id: challenge.id, at: now() },
        ...{ actor: 'visitor', action: 'request_refused' },
        detail: { reason: 'wrong_presser', slack_user: pressed.user },
      }),
    );
    return 'wrong_presser';
  }
  if (!(await countPress(db, challenge.id, pressed.at))) return 'repeated';
  const said = await TAKERS[pressed.action](deps, challenge, pressed.text);
  if (said !== undefined) await keepReply(deps, workspace, reply, said);
  return 'taken';
}

const TAKERS = { verify: takeContext, report: takeReport };

/** The button itself opens the link; what is added to it is kept. */
async function takeContext(deps: SlackDeps, found: Challenge, text: string): Promise<string | undefined> {
  const challenge = asOf(found, deps.now());
  if (isTerminal(challenge.status)) return endOf(challenge, deps.now());
  const response = responseOf(text);
  if (response !== undefined) await respondOutside(deps, challenge.id, response);
  return undefined;
}

async function takeReport(
  deps: SlackDeps,
  { id, ...found }: Challenge,
  text: string,
): Promise<string | undefined> {
  const response = responseOf(text);
  const reported = await reportIncident(
    deps,
    { ...found, id },
    {
      ...{ actor: 'target', comment: incidentComment(text), detail: { via: 'slack' } },
      ...(response === undefined ? {} : { response }),
    },
  );
  if (reported) return undefined;
  const challenge = asOf((await findAnyChallenge(deps.db, id))!, deps.now());
  return endOf(challenge, deps.now());
}

/** Undefined: nothing was added, and what was before stays. */
function responseOf(text: string): string | undefined {
  return Array.from(plainText(text)).slice(0, MAX_TARGET_RESPONSE).join('').trim() || undefined;
}

/** What to say to whom presses a button after the end. */
function endOf(challenge: Challenge, now: Date): string {
  const { status, failure_reason, disputed } = challenge;
  if (disputed || failure_reason === INCIDENT_REPORTED)
    return 'You have already reported that it was not you. There is nothing more to do here.';
  if (status === 'expired') return `This request has expired, so nothing was changed. ${TELL_SOMEBODY}`;
  if (status !== 'verified')
    return `This request has ended already, so nothing was changed. ${TELL_SOMEBODY}`;
  return isDisputable(challenge, now)
    ? 'This was confirmed already. If it was not you, press the button that reports it.'
    : `This was confirmed more than ${DISPUTE_WINDOW_HOURS} hours ago and cannot be reported here any more. ${TELL_SOMEBODY}`;
}
