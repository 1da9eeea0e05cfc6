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
import type { NewChallenge } from './store.ts';

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

/** What the caller is told beside the answer, the W3C trace its request belongs to, and who acts, if not the caller's key. */
export type About = {
  warnings?: string[];
  traceparent?: string | null | undefined;
  actor?: string;
};
/** A challenge that is put to the person by this server, and not by its caller: what is then different, and what is written with it. */
export type Addition = {
  fields: Pick<
    NewChallenge['challenge'],
    | 'target_user_id'
    | 'target_user_email'
    | 'requester_id'
    | 'requester_email'
    | 'slack_instance_id'
    | 'callback_url'
  >;
  record: (tx: Db, challenge: NewChallenge['challenge'], answer: Created) => Promise<void>;
};

/** Creates a challenge: expiry, callback URL and provider are frozen now. */
export async function createChallenge(
  deps: CreateDeps,
  caller: Caller,
  input: CreateChallenge,
  about: About = {},
  addition?: Addition,
): Promise<Created> {
  const { made, answer } = prepare(deps, caller, input, about, addition);
  if (!addition) await deps.batches.insert(made);
  else await deps.db.transaction().execute((tx) => write(tx, made, answer, addition));
  return answer;
}

/**
 * Creates a challenge at most once for an idempotency key: the same request gets the same answer again (`replayed`),
 * also while the first is still running; another request under the same key is a conflict.
 */
export async function createOnce(
  deps: CreateDeps,
  caller: Caller,
  { input, key }: { input: CreateChallenge; key: string },
  about: About = {},
  addition?: Addition,
): Promise<{ answer: Created; replayed: boolean }> {
  const { made, answer } = prepare(deps, caller, input, about, addition);
  const { integration_id } = caller;
  const claim = {
    integration_id,
    key,
    request_hash: hashOf(input),
    answer_sealed: deps.sealer.seal(JSON.stringify(answer), sealContext(caller, key)),
    created_at: made.challenge.created_at,
  };
  return deps.db.transaction().execute(async (tx: Db) => {
    if (await claimIdempotencyKey(tx, claim)) {
      await write(tx, made, answer, addition);
      return { answer, replayed: false };
    }
    const first = await findAnswer({ ...deps, db: tx }, caller, { input, key });
    if (!first) throw new Error('an idempotency key was taken and is not there');
    return { answer: first, replayed: true };
  });
}

/** Throws what is wrong with a request whoever it is about: addresses and provider that may not be, live mode without https. */
export function checkRequest(
  { publicUrl, checkCallbackUrl }: CreateDeps,
  caller: Caller,
  { callback_url, return_url, provider }: CreateChallenge,
): void {
  if (callback_url) checkCallbackUrl(callback_url, caller.mode, 'callback_url');
  if (return_url) checkReturnUrl(caller, return_url);
  if (caller.mode === 'live' && !publicUrl.startsWith('https:')) throw new AppError('unavailable', NOT_HTTPS);
  chooseProvider(caller, provider);
}

/** What was answered to the same request under this key; undefined if the key is new. Another request under it is a conflict. */
export async function findAnswer(
  { db, sealer }: { db: Db; sealer: Sealer },
  caller: Caller,
  { input, key }: { input: CreateChallenge; key: string },
): Promise<Created | undefined> {
  const first = await findIdempotentAnswer(db, caller.integration_id, key);
  if (!first) return undefined;
  if (first.request_hash !== hashOf(input)) {
    throw new AppError(
      'idempotency_key_reused',
      'Idempotency-Key was used before with a different request',
      'Idempotency-Key',
    );
  }
  return JSON.parse(sealer.unseal(first.answer_sealed, sealContext(caller, key))) as Created;
}

/** Who acts when a program calls: its key, by the part of it that may be shown. */
export function actorOf(caller: Caller): string {
  return `api_key:${caller.key_prefix}`;
}

function hashOf(input: CreateChallenge): string {
  return sha256(JSON.stringify(input));
}

function sealContext({ integration_id }: Caller, key: string): string {
  return `idempotency_keys:${integration_id}:${key}`;
}

async function write(tx: Db, made: NewChallenge, answer: Created, addition?: Addition): Promise<void> {
  await insertChallenges(tx, [made]);
  await addition?.record(tx, made.challenge, answer);
}

function prepare(
  deps: CreateDeps,
  caller: Caller,
  input: CreateChallenge,
  { warnings = [], traceparent = null, actor = actorOf(caller) }: About,
  addition?: Addition,
): { made: NewChallenge; answer: Created } {
  const { expiryMinutes, callback_url, slack: _, ...asked } = input;
  checkRequest(deps, caller, input);
  const { publicUrl, now } = deps;
  const created_at = now();
  const id = newId();
  const token = newToken();
  const verification_code = newVerificationCode();
  const expires_at = expiryOf(created_at, expiryMinutes, caller.default_expiry_minutes);
  const target_user_email = addition ? addition.fields.target_user_email : input.target_user_email;
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
    ...actingOf(target_user_email ?? null, caller.mode, created_at),
    ...addition?.fields,
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
  return { made: { challenge, actor }, answer };
}
