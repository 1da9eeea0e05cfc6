import jwt from 'jsonwebtoken';
import { AppError } from '../kernel/errors.ts';
import type { Batches } from './batches.ts';
import { getChallenge } from './cancel.ts';
import { asOf, isTerminal } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import { presentChallenge } from './present.ts';
import { signingKey } from './proof-keys.ts';
import type { ProofKeyDeps } from './proof-keys.ts';
import type { Scope } from './store.ts';

type ProofDeps = ProofKeyDeps & { batches: Batches; publicUrl: string };
/** A result as a signed document, and where the key is that checks it. */
type Proof = { challenge_id: string; proof: string; kid: string; jwks_url: string };

/** Says what the document is, so that no other token of this server passes for one. */
const TYPE = 'countersign-proof+jwt';
const JWKS_PATH = '/.well-known/jwks.json';

/** How the caller's challenge ended, signed; 404 if it is not the caller's, 409 while it is open, 410 once it is erased. */
export async function proveChallenge(deps: ProofDeps, id: string, scope: Scope): Promise<Proof> {
  const at = deps.now();
  const challenge = asOf(await getChallenge(deps, id, scope), at);
  if (challenge.erased_at) throw new AppError('gone', 'Challenge was erased; there is nothing left to prove');
  if (!isTerminal(challenge.status))
    throw new AppError('conflict', `Challenge is still ${challenge.status}; there is no result to prove yet`);
  const { kid, key } = await signingKey(deps);
  const proof = jwt.sign(claimsOf(challenge, deps.publicUrl, at), key, {
    algorithm: 'ES256',
    keyid: kid,
    header: { alg: 'ES256', typ: TYPE },
  });
  return { challenge_id: challenge.id, proof, kid, jwks_url: `${deps.publicUrl}${JWKS_PATH}` };
}

/** No `exp`: it says what was true at `iat`, and that stays so. */
function claimsOf(challenge: Challenge, iss: string, at: Date) {
  const shown = presentChallenge(challenge, at);
  return {
    iss,
    jti: shown.challenge_id,
    iat: Math.floor(at.getTime() / 1_000),
    tenant: challenge.tenant_id,
    mode: shown.mode,
    status: shown.status,
    failure_reason: shown.failure_reason,
    incident: shown.incident,
    disputed: shown.disputed,
    created_at: shown.created_at,
    completed_at: shown.completed_at,
    expires_at: shown.expires_at,
    valid_until: shown.valid_until,
    consumed_at: shown.consumed_at,
    target_user_id: shown.target_user_id,
    target_user_email: shown.target_user_email,
    requester_id: shown.requester_id,
    ticket: shown.ticket,
    context: shown.context,
    auth_method: shown.auth_method,
    auth_time: shown.auth_time,
    acr: shown.acr,
    amr: shown.amr,
    subject: shown.subject,
    subject_match: shown.subject_match,
  };
}
