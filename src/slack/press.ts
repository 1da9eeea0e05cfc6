import { asOf, isDisputable, isTerminal } from '../challenges/challenge.ts';
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
import { ANSWERS } from './texts/answers.ts';
import type { Workspace } from './workspace.ts';

/** What became of a press. */
export type Taken = 'taken' | 'repeated' | 'unknown' | 'wrong_presser';

type Answer = keyof (typeof ANSWERS)['en'];

/**
 * A press in the card counts only if it is by the person whom the card asks, and then once. What there is to say to whoever
 * pressed is kept as an answer; what the card shows follows from the challenge.
 */
export async function takePress(deps: SlackDeps, workspace: Workspace, pressed: Pressed): Promise<Taken> {
  const { db, now } = deps;
  const card = isUuid(pressed.challengeId) ? await findCard(db, pressed.challengeId) : undefined;
  const challenge = card && (await findAnyChallenge(db, card.challenge_id));
  const reply = { ...pressed, challenge_id: challenge?.id ?? null, at: now().getTime() };
  // Of another workspace's challenge nobody here learns that it exists, nor in which language.
  if (!card || challenge?.slack_instance_id !== workspace.id) {
    await keepReply(deps, workspace, { ...reply, challenge_id: null }, ANSWERS.en.unknown);
    return 'unknown';
  }
  const answers = ANSWERS[card.language];
  if (card.target_user !== pressed.user) {
    await keepReply(deps, workspace, reply, answers.notYours, (tx) =>
      recordAudit(tx, {
        ...{ tenant_id: challenge.tenant_id, challenge_id: challenge.id, at: now() },
        ...{ actor: 'visitor', action: 'request_refused' },
        detail: { reason: 'wrong_presser', slack_user: pressed.user },
      }),
    );
    return 'wrong_presser';
  }
  const taken = await TAKERS[pressed.action](deps, challenge, pressed);
  if (taken === 'taken' || taken === 'repeated') return taken;
  return (await keepReply(deps, workspace, reply, answers[taken])) ? 'taken' : 'repeated';
}

const TAKERS = { verify: takeContext, report: takeReport };

/** The button itself opens the link; what is added to it is kept, unless it was added before what is there. */
async function takeContext(
  deps: SlackDeps,
  found: Challenge,
  { at, text }: Pressed,
): Promise<'taken' | 'repeated' | Answer> {
  if (!(await countPress(deps.db, found.id, at))) return 'repeated';
  const challenge = asOf(found, deps.now());
  if (isTerminal(challenge.status)) return endOf(challenge, deps.now());
  const response = responseOf(text);
  if (response !== undefined) await respondOutside(deps, challenge.id, response);
  return 'taken';
}

/** An alarm is never too old, and needs no counting: only the first one finds something to report. */
async function takeReport(deps: SlackDeps, found: Challenge, { text }: Pressed): Promise<'taken' | Answer> {
  const response = responseOf(text);
  const reported = await reportIncident(deps, found, {
    ...{ actor: 'target', comment: incidentComment(text), detail: { via: 'slack' } },
    ...(response === undefined ? {} : { response }),
  });
  if (reported) return 'taken';
  const challenge = asOf((await findAnyChallenge(deps.db, found.id))!, deps.now());
  return endOf(challenge, deps.now());
}

/** Undefined: nothing was added, and what was before stays. */
function responseOf(text: string): string | undefined {
  return Array.from(plainText(text)).slice(0, MAX_TARGET_RESPONSE).join('').trim() || undefined;
}

/** What to say to whom presses a button after the end. */
function endOf(challenge: Challenge, now: Date): Answer {
  const { status, failure_reason, disputed } = challenge;
  if (disputed || failure_reason === INCIDENT_REPORTED) return 'reported';
  if (status === 'expired') return 'expired';
  if (status !== 'verified') return 'ended';
  return isDisputable(challenge, now) ? 'confirmed' : 'tooLate';
}
