import { randomUUID } from 'node:crypto';
import { authHeaders } from '../../src/simulators/veriff-auth.ts';
import type { Credentials } from '../../src/simulators/veriff-auth.ts';
import { decisionBody, eventBody, newSession } from '../../src/simulators/veriff-bodies.ts';
import type { Json, VeriffSession } from '../../src/simulators/veriff-bodies.ts';
import { watchlist } from '../../test/fixtures/veriff/types.ts';
import type { OpenSession } from './sessions.ts';

/** A webhook to be sent: header names and values, and the body's text. */
export type Webhook = { headers: Record<string, string>; body: string };
type Conclusion = 'approved' | 'declined';
type Planned = { slot: number; body: string; session: VeriffSession; concludes?: Conclusion };

/** Every twentieth webhook comes twice: in turn at once, and somewhat later. */
const TWICE_EVERY = 20;
const LATER_S = 1;
/** Between two webhooks of one session. */
const STEP_S = 0.5;

/**
 * What Veriff sends in `seconds` at this rate: sessions of which each begins, is handed in and is decided, one in five
 * with a watchlist screening, one in ten only after a resubmission; in each session's order, all sessions interleaved.
 */
export function planLoad(credentials: Credentials, rate: number, seconds: number) {
  const wanted = rate * seconds;
  const planned: Planned[] = [];
  for (let n = 0; planned.length < wanted * 1.2; n += 1) {
    const session = newSession('https://veriff.example', { vendorData: randomUUID() });
    const bodies = story(session, n);
    const begins = planned.length;
    for (const [place, one] of bodies.entries()) {
      const due = begins + place * STEP_S * rate;
      planned.push({ slot: due, session, ...one });
      if ((begins + place) % TWICE_EVERY > 0) continue;
      const wait = (begins / TWICE_EVERY) % 2 < 1 ? 0 : LATER_S * rate;
      planned.push({ slot: due + wait, session, body: one.body });
    }
  }
  const sent = planned.toSorted((a, b) => a.slot - b.slot).slice(0, wanted);
  const sessions = new Set(sent.map(({ session }) => session));
  return {
    webhooks: sent.map(({ body }) => messageOf(body, credentials)),
    sessions: [...sessions].map(({ id, challengeId }): OpenSession => ({
      challengeId: challengeId!,
      sessionId: id,
    })),
    /** how Veriff decided each challenge that it decided by the end */
    decided: new Map(
      sent.flatMap(({ session, concludes }) =>
        concludes ? [[session.challengeId!, concludes] as const] : [],
      ),
    ),
  };
}

export type Plan = ReturnType<typeof planLoad>;

function story(session: VeriffSession, n: number): { body: string; concludes?: Conclusion }[] {
  const text = (body: Json) => ({ body: JSON.stringify(body) });
  const told = () => [text(eventBody(session, 'started')), text(eventBody(session, 'submitted'))];
  const decided = (second: number) => ({ decisionTime: `2026-01-15T10:05:${10 + second}.123456Z` });
  const first = told();
  if (n % 10 === 1) {
    first.push(text(decisionBody(session, 'resubmission_requested', decided(0))));
    session.attemptId = randomUUID();
    first.push(...told());
  }
  const conclusion = n % 4 === 3 ? 'declined' : 'approved';
  const end = { ...text(decisionBody(session, conclusion, decided(n % 40))), concludes: conclusion } as const;
  const { id: sessionId, attemptId, vendorData } = session;
  const screening = n % 5 === 0 ? [text({ ...watchlist, sessionId, attemptId, vendorData })] : [];
  return [...first, end, ...screening];
}

function messageOf(body: string, credentials: Credentials): Webhook {
  return { headers: { 'content-type': 'application/json', ...authHeaders(credentials, body) }, body };
}
