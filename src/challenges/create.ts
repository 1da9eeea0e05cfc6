import type { Kysely } from 'kysely';
import type { Db } from '../db/database.ts';
import type { DB } from '../generated/database.ts';
import { newToken, newVerificationCode, sha256 } from '../kernel/crypto.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { AppError } from '../kernel/errors.ts';
import { newId } from '../kernel/id.ts';
import type { Caller } from '../tenants/store.ts';
import { expiryOf } from './challenge.ts';
import { checkReturnUrl, chooseProvider } from './choice.ts';
import type { CreateChallenge } from './input.ts';
import { isoTime } from './present.ts';
import type { Batches } from './batches.ts';
import { actingOf } from './test-targets.ts';
import { claimIdempotencyKey, findIdempotentAnswer, insertChallenges } from './store.ts';

export type CreateDeps = {
  db: Kysely<DB>;
  batches: Batches;
  sealer: Sealer;
  publicUrl: string;
  now: () => Date;
  /** throws a 400 for a callback URL that the mode may not call */
  checkCallbackUrl: (url: string, mode: Caller['mode'], field: string) => void;
};
export type Created = {
  challenge_id: string;
  verification_url: string;
  status: 'initiated';
  expires_at: string;
  /** two digits that the person sees as well */
  verification_code: string;
  /** what the caller should know although the challenge was created; left out when there is nothing */
  warnings?: string[];
};

const NOT_HTTPS =
  'Live challenges need https: set PUBLIC_URL to the https address that people reach this server by';

/** What the caller is told beside the answer, and the W3C trace its request belongs to. */
export type About = { warnings?: string[]; traceparent?: string | null | undefined };

/** Creates a challenge: expiry, callback URL and provider are frozen now. */
export async function createChallenge(
  deps: CreateDeps,
  caller: Caller,
  input: CreateChallenge,
  { warnings = [], traceparent }: About = {},
): Promise<Created> {
  const { challenge, answer } = prepare(deps, caller, input, { warnings, traceparent });
  await deps.batches.insert({ challenge, actor: actorOf(caller) });
  return answer;
}

/**
 * Creates a challenge at most once for an idempotency key: the same request gets the same answer again (`replayed`),
 * also while the first is still running; another request under the same key is a conflict.
 */
export async function createOnce(
  deps: CreateDeps,
  caller: Caller,
  input: CreateChallenge,
  key: string,
  { warnings = [], traceparent }: About = {},
): Promise<{ answer: Created; replayed: boolean }> {
  const { challenge, answer } = prepare(deps, caller, input, { warnings, traceparent });
  const { integration_id } = caller;
  const request_hash = sha256(JSON.stringify(input));
  const context = `idempotency_keys:${integration_id}:${key}`;
  const claim = {
    integration_id,
    key,
    request_hash,
    answer_sealed: deps.sealer.seal(JSON.stringify(answer), context),
    created_at: challenge.created_at,
  };
  return deps.db.transaction().execute(async (tx: Db) => {
    if (await claimIdempotencyKey(tx, claim)) {
      await insertChallenges(tx, [{ challenge, actor: actorOf(caller) }]);
      return { answer, replayed: false };
    }
    const first = await findIdempotentAnswer(tx, integration_id, key);
    if (first?.request_hash !== request_hash) {
      throw new AppError(
        'idempotency_key_reused',
        'Idempotency-Key was used before with a different request',
        'Idempotency-Key',
      );
    }
    return {
      answer: JSON.parse(deps.sealer.unseal(first.answer_sealed, context)) as Created,
      replayed: true,
    };
  });
}

/** Who acts when a program calls: its key, by the part of it that may be shown. */
export function actorOf(caller: Caller): string {
  return `api_key:${caller.key_prefix}`;
}

function prepare(
  { publicUrl, now, checkCallbackUrl }: CreateDeps,
  caller: Caller,
  input: CreateChallenge,
  { warnings = [], traceparent = null }: About,
) {
  const { expiryMinutes, callback_url, ...asked } = input;
  if (callback_url) checkCallbackUrl(callback_url, caller.mode, 'callback_url');
  if (input.return_url) checkReturnUrl(caller, input.return_url);
  if (caller.mode === 'live' && !publicUrl.startsWith('https:')) throw new AppError('unavailable', NOT_HTTPS);
  const created_at = now();
  const id = newId();
  const token = newToken();
  const verification_code = newVerificationCode();
  const expires_at = expiryOf(created_at, expiryMinutes, caller.default_expiry_minutes);
  const challenge = {
    id,
    ...asked,
    tenant_id: caller.tenant_id,
    integration_id: caller.integration_id,
    mode: caller.mode,
    status: 'initiated' as const,
    callback_url: callback_url ?? caller.callback_url,
    provider: chooseProvider(caller, input.provider),
    provider_attempts: caller.provider_attempts,
    verification_token_hash: sha256(token),
    verification_code,
    ...actingOf(input.target_user_email, caller.mode, created_at),
    traceparent,
    created_at,
    expires_at,
  };
  const answer: Created = {
    challenge_id: id,
    verification_url: `${publicUrl}/challenge/start/${id}?token=${token}`,
    status: 'initiated',
    expires_at: isoTime(expires_at),
    verification_code,
    ...(warnings.length > 0 ? { warnings } : {}),
  };
  return { challenge, answer };
}
