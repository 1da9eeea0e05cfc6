import { asOf, isTerminal } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { lockChallenge } from '../challenges/lock-store.ts';
import { applyChange } from '../challenges/settle.ts';
import { endpointsOf } from '../deliveries/endpoint.ts';
import { sha256 } from '../kernel/crypto.ts';
import { findIdentities } from './aliases-store.ts';
import { endAttempt, findAnswered, SUPERSEDED } from './attempts-store.ts';
import type { Attempt } from './attempts-store.ts';
import type { SignInDeps } from './begin.ts';
import type { SignIn } from './method.ts';
import { auditSignIn, refuse } from './refuse.ts';
import { findIdpById, sealContext } from './store.ts';
import type { Idp } from './store.ts';
import { identifiersOf, matchSubject } from './subject.ts';

/** From the answer of the callback to the browser's next request. */
const TICKET_MS = 2 * 60_000;
const OTHER_BROWSER = 'other_browser';
const VERIFIED = 'verified';

/** The ticket that a browser shows, and its address. */
export type Shown = { ticket: string; address: string | null };

/**
 * The browser that clicked, known by its name, shows the ticket it got at the callback: the challenge is verified if
 * whoever signed in is its target, else the attempt ends. Whatever happens is written down; a ticket that is not known
 * changes nothing.
 */
export async function concludeSignIn(
  deps: SignInDeps,
  challenge: Challenge,
  shown: Shown & { browser: string },
): Promise<void> {
  const { address } = shown;
  const attempt = await findByTicket(deps, challenge.id, shown.ticket);
  if (!attempt?.answer_sealed) return;
  if (attempt.browser_hash !== challenge.browser_hash) {
    // The same browser, once in a frame and once in a tab.
    const reason = attempt.browser === shown.browser ? SUPERSEDED : OTHER_BROWSER;
    return endWithout(deps, attempt, reason, address);
  }
  const idp = await findIdpById(deps.db, attempt.identity_provider_id);
  const answer = deps.sealer.unseal(attempt.answer_sealed, sealContext.answer(attempt.id));
  const signIn = JSON.parse(answer) as SignIn;
  const aliases = await findIdentities(deps.db, challenge.tenant_id, identifiersOf(signIn));
  const subject_match = matchSubject(challenge, signIn, aliases);
  if (subject_match) return verify(deps, { attempt, idp, signIn, subject_match, address });
  const signedInAs = signIn.email ?? signIn.id;
  await refuse(deps, { attempt, idp, reason: 'subject_mismatch', address, signedInAs });
}

/** Another browser than the one that clicked came from the IdP: somebody was sent there by somebody else. */
export async function noteOtherBrowser(
  deps: SignInDeps,
  challengeId: string,
  { ticket, address }: Shown,
): Promise<void> {
  const attempt = await findByTicket(deps, challengeId, ticket);
  if (attempt) await endWithout(deps, attempt, OTHER_BROWSER, address);
}

async function endWithout(
  { db, now, metrics }: SignInDeps,
  attempt: Attempt,
  reason: string,
  address: string | null,
): Promise<void> {
  const { kind } = await findIdpById(db, attempt.identity_provider_id);
  const ended = await db.transaction().execute(async (tx) => {
    const challenge = await lockChallenge(tx, attempt.challenge_id);
    if (!challenge || !(await endAttempt(tx, attempt.id, reason, now()))) return false;
    await auditSignIn(tx, challenge, { attempt, reason, address }, now());
    return true;
  });
  if (ended) metrics.signInsTotal.inc({ kind, outcome: reason });
}

function findByTicket(
  { db, now }: SignInDeps,
  challengeId: string,
  ticket: string,
): Promise<Attempt | undefined> {
  return findAnswered(db, challengeId, sha256(ticket), new Date(now().getTime() - TICKET_MS));
}

type Success = {
  attempt: Attempt;
  idp: Idp;
  signIn: SignIn;
  subject_match: string;
  address: string | null;
};

async function verify(deps: SignInDeps, success: Success): Promise<void> {
  const { attempt, idp, signIn, subject_match, address } = success;
  const at = deps.now();
  const { id, email, issuer, acr, amr, auth_time } = signIn;
  const done = await deps.db.transaction().execute(async (tx) => {
    const challenge = await lockChallenge(tx, attempt.challenge_id);
    if (!challenge) return undefined;
    const reason = reasonAgainst(challenge, attempt, at);
    if (!(await endAttempt(tx, attempt.id, reason ?? VERIFIED, at))) return undefined;
    if (reason !== undefined) {
      await auditSignIn(tx, challenge, { attempt, reason, address }, at);
      return { outcome: reason };
    }
    const moved = await applyChange(
      tx,
      {
        ...{ challengeId: challenge.id, to: VERIFIED, actor: `idp:${idp.kind}` },
        fields: {
          ...{ auth_method: idp.kind, auth_time: new Date(auth_time * 1_000), acr },
          ...{ amr: amr.length > 0 ? amr : null, subject: { id, email, issuer }, subject_match },
        },
        detail: { attempt: attempt.id, ip: address },
      },
      at,
    );
    return moved && { outcome: VERIFIED, moved };
  });
  if (!done) return;
  deps.metrics.signInsTotal.inc({ kind: idp.kind, outcome: done.outcome });
  if (done.moved) deps.wake(endpointsOf([done.moved]));
}

/** What has happened since the browser was recognised. */
function reasonAgainst(challenge: Challenge, attempt: Attempt, at: Date): string | undefined {
  if (isTerminal(asOf(challenge, at).status)) return 'too_late';
  return challenge.browser_hash === attempt.browser_hash ? undefined : SUPERSEDED;
}
