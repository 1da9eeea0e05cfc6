import type { Db } from '../db/database.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { applyChange } from '../challenges/settle.ts';
import { findAnyChallenge, recordAudit } from '../challenges/store.ts';
import type { Report } from './provider.ts';
import { noteDecision } from './sessions-store.ts';
import type { Session } from './sessions-store.ts';

/** What came of a report; only `applied` ended the challenge. */
export type Outcome = 'applied' | 'recorded' | 'stale' | 'other_challenge' | 'too_late';
/** The outcome, and the challenge if it was ended by it. */
export type Applied = { outcome: Outcome; ended?: Challenge };

/**
 * Applies a provider's report to the challenge its session belongs to, within the caller's transaction, which holds
 * the session's row. The first conclusive decision wins; whatever contradicts it later is written to the audit trail.
 */
export async function applyReport(
  tx: Db,
  session: Session,
  report: Report,
  provider: string,
  now: Date,
): Promise<Applied> {
  const actor = `provider:${provider}`;
  // A session is found by its own id; the echoed challenge id is a cross-check, never a way in.
  if (report.challengeId !== null && report.challengeId !== session.challenge_id) {
    await audit(tx, session, report, actor, 'report_for_other_challenge', now);
    return { outcome: 'other_challenge' };
  }
  if (isStale(session, report)) return { outcome: 'stale' };
  if (report.decidedAt !== undefined || report.decision) {
    await noteDecision(tx, session.id, {
      last_decided_at: report.decidedAt ?? session.last_decided_at,
      last_decision: report.word,
      ended: report.decision !== undefined,
    });
  }
  if (!report.decision) return { outcome: 'recorded' };

  const { to } = report.decision;
  const moved = await applyChange(
    tx,
    {
      challengeId: session.challenge_id,
      to,
      actor,
      fields: {
        auth_method: provider,
        failure_reason: 'reason' in report.decision ? report.decision.reason : null,
      },
      detail: { report: report.word, reason_code: report.reasonCode },
    },
    now,
  );
  if (moved) return { outcome: 'applied', ended: moved };
  await audit(tx, session, report, actor, 'report_after_end', now);
  return { outcome: 'too_late' };
}

/** Older than the newest decision seen; at the same instant the conclusive one counts. Without a time, order is unknown. */
function isStale(session: Session, report: Report): boolean {
  const { last_decided_at } = session;
  if (last_decided_at === null || report.decidedAt === undefined) return false;
  if (report.decidedAt === last_decided_at)
    return report.decision === undefined || session.status === 'ended';
  return report.decidedAt < last_decided_at;
}

async function audit(
  tx: Db,
  session: Session,
  report: Report,
  actor: string,
  action: string,
  at: Date,
): Promise<void> {
  const challenge = await findAnyChallenge(tx, session.challenge_id);
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
    at,
    actor,
    action,
    detail,
  });
}
