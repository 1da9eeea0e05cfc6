import { safeEqual } from '../kernel/crypto.ts';
import { asObject, parseObject } from '../providers/json.ts';
import { newTransaction, newVendorToken, toJson, transactionBody } from './berbix-transactions.ts';
import type { BerbixTransaction, Json } from './berbix-transactions.ts';
import { html } from './server.ts';
import type { Call, Handler, Reply, Routes } from './server.ts';

/** Seconds that access and client tokens live. */
const TOKEN_SECONDS = 3_600;

type BerbixApi = {
  apiSecret: string;
  templateKey: string;
  transactions: BerbixTransaction[];
  now: () => Date;
};
/** What an access token opens, and until when. */
type Access = { transaction: BerbixTransaction; until: number };

/** Berbix's API: the API secret opens and renews, the access token alone says which transaction is meant. */
export function apiRoutes(api: BerbixApi): Routes {
  const tokens = new Map<string, Access>();

  const withSecret =
    (answer: (body: Json, call: Call) => Reply): Handler =>
    (call) => {
      const expected = `Basic ${Buffer.from(`${api.apiSecret}:`).toString('base64')}`;
      if (!safeEqual(call.headers.authorization ?? '', expected)) return refusal(401);
      const body = parseObject(call.body.toString());
      return body ? answer(body, call) : refusal(400);
    };
  const withToken =
    (answer: (transaction: BerbixTransaction, call: Call) => Reply): Handler =>
    (call) => {
      const token = /^Bearer (\S+)$/.exec(call.headers.authorization ?? '')?.[1] ?? '';
      const access = tokens.get(token);
      if (!access || access.until <= api.now().getTime()) return refusal(401);
      return access.transaction.deleted ? refusal(410) : answer(access.transaction, call);
    };
  const tokensOf = (transaction: BerbixTransaction): Json => {
    const [access_token, client_token] = [newVendorToken(), newVendorToken()];
    tokens.set(access_token, { transaction, until: api.now().getTime() + TOKEN_SECONDS * 1_000 });
    return {
      transaction_id: transaction.transactionId,
      access_token,
      client_token,
      refresh_token: transaction.refreshToken,
      expires_in: TOKEN_SECONDS,
    };
  };

  return {
    'POST /v0/transactions': withSecret((body, { headers }) => {
      const transaction = readCreate(body, `http://${headers.host}`, api);
      if (!transaction) return refusal(400);
      api.transactions.push(transaction);
      const hosted = transaction.url === '' ? {} : { hosted_url: transaction.url };
      return answerWith({ ...tokensOf(transaction), ...hosted });
    }),
    'POST /v0/tokens': withSecret(({ grant_type, refresh_token }) => {
      if (grant_type !== 'refresh_token' || typeof refresh_token !== 'string') return refusal(400);
      const transaction = api.transactions.find((one) => safeEqual(one.refreshToken, refresh_token));
      return transaction ? answerWith(tokensOf(transaction)) : refusal(401);
    }),
    'GET /v0/transactions': withToken((transaction) => answerWith(transactionBody(transaction))),
    'PATCH /v0/transactions': withToken((transaction, { body }) => {
      const { action, note = '' } = parseObject(body.toString()) ?? {};
      if (typeof action !== 'string' || action === '' || typeof note !== 'string') return refusal(400);
      transaction.action = action;
      return answerWith(transactionBody(transaction));
    }),
    'DELETE /v0/transactions': withToken((transaction) => {
      transaction.deleted = true;
      return { status: 204, headers: {}, body: '' };
    }),
  };
}

/** How Berbix says no; its own words for it are not documented. */
export function refusal(status: number): Reply {
  return answerWith({ code: status, message: 'The request was refused' }, status);
}

/** Any other address: the API answers in JSON, the site with a page. */
export function unknownAddress({ path }: Call): Reply {
  return path.startsWith('/v0/') ? refusal(404) : html(404, 'Not found');
}

/** Customer and template are required; `hosted_options`, be it empty, is what asks for a hosted page. */
function readCreate(
  { customer_uid, template_key, hosted_options }: Json,
  origin: string,
  { templateKey, now }: BerbixApi,
): BerbixTransaction | undefined {
  if (typeof customer_uid !== 'string' || customer_uid === '' || template_key !== templateKey)
    return undefined;
  if (hosted_options === undefined) return newTransaction(origin, customer_uid, undefined, now());
  const { redirect_url = null } = asObject(hosted_options) ?? { redirect_url: 0 };
  if (redirect_url !== null && typeof redirect_url !== 'string') return undefined;
  return newTransaction(origin, customer_uid, redirect_url, now());
}

function answerWith(value: Json, status = 200): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: toJson(value) };
}
