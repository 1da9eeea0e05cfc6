import { asOf, isTerminal } from '../challenges/challenge.ts';
import { findAnyChallenge } from '../challenges/store.ts';
import { newToken, sha256 } from '../kernel/crypto.ts';
import {
  findAttemptByState,
  keepAnswer,
  SUPERSEDED,
  takeAttempt,
  TIMED_OUT,
  useOnce,
} from './attempts-store.ts';
import type { Attempt } from './attempts-store.ts';
import { openKept } from './begin.ts';
import type { SignInDeps } from './begin.ts';
import { openIdp } from './idp.ts';
import { methods } from './index.ts';
import { SignInRefused } from './method.ts';
import type { SignIn } from './method.ts';
import { auditSignIn, refuse } from './refuse.ts';
import { findIdpById, sealContext } from './store.ts';
import type { Idp } from './store.ts';

/** How long a person may take at the IdP. */
export const SIGN_IN_MS = 30 * 60_000;

/** What a browser brought back to a path: the state that finds the attempt, all parameters, and the browser's address. */
export type Brought = {
  callbackPath: string;
  state: string;
  parameters: { [name: string]: string };
  address: string | null;
};
/** Which challenge it is about; with a ticket if somebody did sign in. */
export type Finished = { challengeId: string; ticket?: string };

/**
 * Checks what the IdP sent by the browser. Whoever signed in is kept, and the browser gets a ticket for it: only the
 * browser that clicked, showing this ticket, may go on. Undefined: the state belongs to no attempt there ever was.
 */
export async function finishSignIn(deps: SignInDeps, brought: Brought): Promise<Finished | undefined> {
  const stateHash = sha256(brought.state);
  const { callbackPath, address } = brought;
  const attempt = await takeAttempt(deps.db, { callbackPath, stateHash, at: deps.now() });
  if (!attempt) return noteRepeat(deps, stateHash, address);
  const idp = await findIdpById(deps.db, attempt.identity_provider_id);
  const challengeId = attempt.challenge_id;
  try {
    const signIn = await check(deps, attempt, idp, brought);
    const ticket = newToken();
    const kept = await keepAnswer(deps.db, attempt.id, {
      answer_sealed: deps.sealer.seal(JSON.stringify(signIn), sealContext.answer(attempt.id)),
      ticket_hash: sha256(ticket),
      answered_at: deps.now(),
    });
    return kept ? { challengeId, ticket } : { challengeId };
  } catch (error) {
    const reason = error instanceof SignInRefused ? error.reason : 'idp_error';
    const about = { err: error, reason, challenge_id: challengeId, idp: idp.name };
    if (error instanceof SignInRefused) deps.log.warn(about, 'a sign-in was refused');
    else deps.log.error(about, 'a sign-in failed by a fault of ours');
    await refuse(deps, { attempt, idp, reason, address });
    return { challengeId };
  }
}

async function check(
  { db, sealer, outbound, reachOf, publicUrl, now }: SignInDeps,
  attempt: Attempt,
  idp: Idp,
  { parameters }: Brought,
): Promise<SignIn> {
  const { clicked_at: clickedAt, kept_sealed } = attempt;
  if (kept_sealed === null || now().getTime() > clickedAt.getTime() + SIGN_IN_MS)
    throw new SignInRefused('timed_out', 'The person took too long at the IdP');
  const { kept } = openKept(sealer, attempt.id, kept_sealed);
  const http = { outbound, reach: reachOf(idp.mode) };
  const answer = { parameters, kept, publicUrl, clickedAt, now: now() };
  const { once, ...signIn } = await methods[idp.kind].finish(answer, openIdp(sealer, idp), http);
  if (once && !(await useOnce(db, once.key, once.until)))
    throw new SignInRefused('replayed_assertion', 'This assertion was accepted before');
  return signIn;
}

/** A state is good for one answer, at its own path; whatever else comes with it changes nothing, and the browser's cookie decides where it leads. */
async function noteRepeat(
  { db, now, guesses, metrics }: SignInDeps,
  stateHash: string,
  address: string | null,
): Promise<Finished | undefined> {
  const attempt = await findAttemptByState(db, stateHash);
  const challenge = attempt && (await findAnyChallenge(db, attempt.challenge_id));
  if (!challenge) return undefined;
  // Whoever goes back in the browser once it is over does nothing that anybody wants to know.
  if (isTerminal(asOf(challenge, now()).status)) return { challengeId: challenge.id };
  const reason = reasonOf(attempt);
  const { kind } = await findIdpById(db, attempt.identity_provider_id);
  metrics.signInsTotal.inc({ kind, outcome: reason });
  if (await guesses.mayWrite(challenge.id))
    await auditSignIn(db, challenge, { attempt, reason, address }, now());
  return { challengeId: challenge.id };
}

function reasonOf({ status, outcome }: Attempt): string {
  if (status === 'open') return 'wrong_callback';
  return outcome === SUPERSEDED || outcome === TIMED_OUT ? outcome : 'replayed_response';
}
