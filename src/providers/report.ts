import type { Db } from '../db/database.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { isTerminal } from '../challenges/challenge.ts';
import { recordFinding, recordProviderStatus } from '../challenges/findings-store.ts';
import { applyChange } from '../challenges/settle.ts';
import { findAnyChallenge, recordAudit } from '../challenges/store.ts';
import { sortableTime } from './json.ts';
import type { Report } from './provider.ts';
import { countEnded, noteDecision } from './sessions-store.ts';
import type { Session } from './sessions-store.ts';

/** What came of a report; only `applied` ended the challenge or one of its attempts. */
export type Outcome = 'applied' | 'recorded' | 'stale' | 'other_challenge' | 'too_late';
/** The outcome, and the challenge if it was ended by it. */
export type Applied = { outcome: Outcome; ended?: Challenge };
/** Who reports, the time that counts, and when we heard of it, which may be earlier. */
type Source = { provider: string; now: Date; heardAt?: Date };

/**
 * Applies a provider's report to the challenge its session belongs to, within the caller's transaction, which holds
 * the session's row. The first conclusive decision wins; whatever contradicts it later is written to the audit trail.
 */
export async function applyReport(
  tx: Db,
  session: Session,
  report: Report,
  source: Source,
): Promise<Applied> {
  // A session is found by its own id; the echoed challenge id is a cross-check, never a way in.
  if (report.challengeId !== null && report.challengeId !== session.challenge_id) {
    await audit(tx, session.challenge_id, report, source, 'report_for_other_challenge');
    return { outcome: 'other_challenge' };
  }
  if (isStale(session, report)) return { outcome: 'stale' };
  await recordFindings(tx, session.challenge_id, report, source);
  if (session.status === 'ended') {
    if (!report.decision) return { outcome: 'recorded' };
    await audit(tx, session.challenge_id, report, source, 'report_after_end');
    return { outcome: 'too_late' };
  }
  if (report.decidedAt !== undefined || report.decision) {
    await recordProviderStatus(tx, session.challenge_id, report.word);
    await noteDecision(tx, session.id, {
      last_decided_at: report.decidedAt ?? session.last_decided_at,
      last_decision: report.word,
      ended: report.decision !== undefined,
    });
  }
  if (!report.decision) return { outcome: 'recorded' };
  return conclude(tx, session, report, report.decision, source);
}

/** Writes to the challenge's trail that an account told of a session which is not the one it knows. */
export function auditOtherSession(tx: Db, session: Session, report: Report, source: Source): Promise<void> {
  return audit(tx, session.challenge_id, report, source, 'report_of_other_session');
}

/** How many more runs the challenge may begin after those that have ended. */
export async function attemptsLeft({ db }: { db: Db }, challenge: Challenge): Promise<number> {
  return challenge.provider_attempts - (await countEnded(db, challenge.id));
}

async function conclude(
  tx: Db,
  session: Session,
  report: Report,
  decision: NonNullable<Report['decision']>,
  source: Source,
): Promise<Applied> {
  if (decision.to !== 'verified' && (await mayTryAgain(tx, session, source.now))) {
    await audit(tx, session.challenge_id, report, source, 'attempt_ended');
    return { outcome: 'applied' };
  }
  const moved = await applyChange(
    tx,
    {
      challengeId: session.challenge_id,
      to: decision.to,
      actor: actorOf(source),
      fields: {
        auth_method: source.provider,
        failure_reason: 'reason' in decision ? decision.reason : null,
      },
      detail: { report: report.word, reason_code: report.reasonCode },
    },
    source.now,
  );
  if (moved) return { outcome: 'applied', ended: moved };
  await audit(tx, session.challenge_id, report, source, 'report_after_end');
  return { outcome: 'too_late' };
}

async function mayTryAgain(tx: Db, session: Session, now: Date): Promise<boolean> {
  const challenge = await findAnyChallenge(tx, session.challenge_id);
  if (!challenge || isTerminal(challenge.status) || challenge.expires_at <= now) return false;
  return (await attemptsLeft({ db: tx }, challenge)) > 0;
}

/** Older than the newest decision seen; at the same instant the conclusive one counts. Without a time, order is unknown. */
function isStale(session: Session, report: Report): boolean {
  const { last_decided_at } = session;
  if (last_decided_at === null || report.decidedAt === undefined) return false;
  if (report.decidedAt === last_decided_at)
    return report.decision === undefined || session.status === 'ended';
  return report.decidedAt < last_decided_at;
}

async function recordFindings(
  tx: Db,
  challengeId: string,
  { signals = [], progress }: Report,
  { provider, now, heardAt = now }: Source,
): Promise<void> {
  const heard = heardAt.toISOString();
  for (const { kind, at, facts } of signals)
    await recordFinding(
      tx,
      challengeId,
      'provider_signals',
      { provider, kind, at: at ?? heard, facts },
      at !== null,
    );
  if (!progress) return;
  const { type, message, at } = progress;
  const order = sortableTime(at ?? heard) ?? sortableTime(heard) ?? '';
  await recordFinding(tx, challengeId, 'progress', { provider, type, message, at: at ?? heard, order });
}

function actorOf({ provider }: Source): string {
  return `provider:${provider}`;
}

async function audit(
  tx: Db,
  challengeId: string,
  report: Report,
  source: Source,
  action: string,
): Promise<void> {
  const challenge = await findAnyChallenge(tx, challengeId);
  if (!challenge) return;
  const detail = {
    report: report.word,
    reason_code: report.reasonCode,
    decided_at: report.decidedAt ?? null,
    status: challenge.status,
  };
  await recordAudit(tx, {
    tenant_id: challenge.tenant_id,
    challenge_id: challenge.id,
    at: source.now,
    actor: actorOf(source),
    action,
    detail,
  });
}
