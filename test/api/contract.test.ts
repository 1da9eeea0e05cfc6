import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { gzipSync } from 'node:zlib';
import { hmacHex } from '../../src/kernel/crypto.ts';
import { createContract, document, listOperations, resolve } from '../support/contract.ts';
import type { Answer, Parameter } from '../support/contract.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { startDatabaseProxy } from '../support/database-proxy.ts';
import { insertInbound, insertRefusal } from '../support/inbound.ts';
import { driveCallbacks, driveLink, driveSteps } from '../support/contract-pages.ts';
import { driveSlack } from '../support/contract-slack.ts';
import { createPerson } from '../support/person.ts';
import { makeOverdue } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { startSink } from '../support/sink.ts';
import { until } from '../support/until.ts';

/** Documented answers that no test can bring about, each with the reason. Today there is none. */
const UNREACHED: string[] = [];

const CHALLENGES = '/api/v1/challenges';
const ERASURES = '/api/v1/erasures';
const ACCOUNTS = '/api/v1/provider-accounts';
const NOBODY = '00000000-0000-4000-8000-000000000000';
const MAXIMAL = {
  ...{ target_user_id: 'user123', target_user_email: 'ada@example.com', context: 'Reset\nplease' },
  ...{ requester_id: 'itsm', expiry_minutes: 30, integration_type: 'webhook', metadata: { ticket: '4711' } },
};
/** All that can come of a webhook once it is handled, but for `refused`. */
const OUTCOMES = [
  ...['applied', 'recorded', 'no_effect', 'stale', 'too_late', 'other_challenge'],
  ...['unknown_session', 'unconfirmed', 'erased'],
];
const SETTINGS = { api_key: 'account-key', shared_secret: 'account-secret' };
const WEBHOOK = JSON.stringify({ id: 'session', attemptId: 'a', code: 7001, action: 'started' });

const contract = createContract();
/** Expects the answer to be documented, in status, headers and body. */
function keeps(operationId: string, status: number, answer: Answer): void {
  expect([operationId, answer.status, ...contract.violations(operationId, answer)]).toEqual([
    operationId,
    status,
  ]);
}

let server: TestServer;
let sink: Awaited<ReturnType<typeof startSink>>;
let veriff: Awaited<ReturnType<typeof startSink>>;
let shaky: {
  server: TestServer;
  database: TestDatabase;
  proxy: Awaited<ReturnType<typeof startDatabaseProxy>>;
};
beforeAll(async () => {
  // The person's address is told by a header, so that one test can be refused for all it tries.
  server = await startServer({ env: { TRUST_PROXY: '1' } });
  sink = await startSink();
  veriff = await startSink((response, { path }) => {
    const verification = { id: 'session-1', url: 'https://alchemy.veriff.com/v/1' };
    response.end(path.endsWith('/sessions') ? JSON.stringify({ verification }) : '{}');
  });
  const database = await createDatabase();
  const proxy = await startDatabaseProxy(database);
  const env = { DATABASE_URL: proxy.url, METRICS_TOKEN: 'token' };
  shaky = { server: await startServer({ role: 'api', env }), database, proxy };
});
afterAll(async () => {
  await server.close();
  await shaky.server.close();
  await shaky.proxy.close();
  await shaky.database.close();
  await sink.close();
  await veriff.close();
});

const asKey = (key = server.apiKey) => ({ 'X-API-Key': key });
const post = (path: string, body?: string | object, headers: Record<string, string> = asKey()) =>
  server.request.post(path).set(headers).send(body);
/** As if it had been live all along, on a server without https: there is no way to pass it. */
const makeLive = (id: string) => sql`update challenges set mode = 'live' where id = ${id}`.execute(server.db);
const get = (path: string, headers: Record<string, string> = asKey()) =>
  server.request.get(path).set(headers);

test('the check notices what is not as documented', () => {
  const error = { error: 'Challenge not found', code: 'not_found', request_id: NOBODY };
  const headers = { 'x-request-id': NOBODY, 'content-type': 'application/json; charset=utf-8' };
  const check = (body: unknown, status = 404, more = {}) =>
    createContract().violations('getChallenge', {
      status,
      text: JSON.stringify(body),
      headers: { ...headers, ...more },
    });
  expect(check(error)).toEqual([]);
  expect(check({ ...error, code: 'lost' })).toEqual([expect.stringContaining('code')]);
  expect(check({ ...error, stack: 'at …' })).toEqual([expect.stringContaining('additional properties')]);
  expect(check(error, 418)).toEqual([expect.stringContaining('may not answer 418')]);
  expect(check(error, 404, { 'content-type': 'text/html' })).toEqual(['the content type is text/html']);
  expect(check(error, 404, { 'x-request-id': undefined })).toEqual(['X-Request-Id is missing']);
});

describe('challenges', () => {
  test('create', async () => {
    expect(contract.errorsOf('/components/schemas/CreateChallenge', MAXIMAL)).toBeUndefined();
    const created = await post(CHALLENGES, MAXIMAL);
    keeps('createChallenge', 201, created);
    expect(created.headers.location).toMatch(/^\/api\/v1\/challenges\//);
    keeps('createChallenge', 201, await post(CHALLENGES, { ...MAXIMAL, unknown: 1 }));
    const once = { ...asKey(), 'Idempotency-Key': 'contract' };
    keeps('createChallenge', 201, await post(CHALLENGES, MAXIMAL, once));
    const replayed = await post(CHALLENGES, MAXIMAL, once);
    keeps('createChallenge', 201, replayed);
    expect(replayed.headers['idempotency-replayed']).toBe('true');
    keeps('createChallenge', 409, await post(CHALLENGES, { target_user_id: 'x' }, once));
    keeps('createChallenge', 400, await post(CHALLENGES, {}));
    keeps('createChallenge', 401, await post(CHALLENGES, MAXIMAL, {}));
    keeps('createChallenge', 413, await post(CHALLENGES, { ...MAXIMAL, filler: 'x'.repeat(70_000) }));
    const text = { ...asKey(), 'Content-Type': 'text/plain' };
    keeps('createChallenge', 415, await post(CHALLENGES, 'text', text));
  });

  test('list', async () => {
    keeps('listChallenges', 200, await get(CHALLENGES));
    const first = await get(`${CHALLENGES}?limit=1`);
    keeps('listChallenges', 200, first);
    const { next_cursor } = first.body as { next_cursor: string };
    keeps('listChallenges', 200, await get(`${CHALLENGES}?limit=1&cursor=${next_cursor}`));
    keeps('listChallenges', 400, await get(`${CHALLENGES}?limit=0`));
    keeps('listChallenges', 401, await get(CHALLENGES, {}));
  });

  test('read, in every status', async () => {
    const read = async (id: string) => keeps('getChallenge', 200, await get(`${CHALLENGES}/${id}`));
    await read((await server.create(MAXIMAL)).challenge_id);
    for (const decision of ['', 'approve', 'decline', 'report']) {
      const created = await server.create();
      const person = createPerson(server);
      await person.start(created).set('User-Agent', 'curl/8');
      if (decision) await person.decide(created, decision);
      await read(created.challenge_id);
    }
    const overdue = await server.create();
    await makeOverdue(server.db, overdue.challenge_id);
    await read(overdue.challenge_id);
    keeps('getChallenge', 401, await get(`${CHALLENGES}/${overdue.challenge_id}`, {}));
    keeps('getChallenge', 404, await get(`${CHALLENGES}/${NOBODY}`));
  });

  test('cancel', async () => {
    const { challenge_id } = await server.create();
    keeps('cancelChallenge', 200, await post(`${CHALLENGES}/${challenge_id}/cancel`));
    keeps('cancelChallenge', 200, await post(`${CHALLENGES}/${challenge_id}/cancel`));
    keeps('cancelChallenge', 401, await post(`${CHALLENGES}/${challenge_id}/cancel`, undefined, {}));
    keeps('cancelChallenge', 404, await post(`${CHALLENGES}/${NOBODY}/cancel`));
    const created = await server.create();
    const person = createPerson(server);
    await person.start(created);
    await person.decide(created, 'approve');
    keeps('cancelChallenge', 409, await post(`${CHALLENGES}/${created.challenge_id}/cancel`));
  });

  test('consume', async () => {
    const created = await server.create();
    const path = `${CHALLENGES}/${created.challenge_id}/consume`;
    const person = createPerson(server);
    await person.start(created);
    keeps('consumeChallenge', 409, await post(path));
    await person.decide(created, 'approve');
    keeps('consumeChallenge', 401, await post(path, undefined, {}));
    keeps('consumeChallenge', 404, await post(`${CHALLENGES}/${NOBODY}/consume`));
    keeps('consumeChallenge', 200, await post(path));
    keeps('consumeChallenge', 409, await post(path));
    keeps('getChallenge', 200, await get(`${CHALLENGES}/${created.challenge_id}`));
  });

  test('simulate and prove', async () => {
    const wish = { outcome: 'incident', target_response: 'It was me', comment: 'It was not me' };
    expect(contract.errorsOf('/components/schemas/SimulateWish', wish)).toBeUndefined();
    const { challenge_id } = await server.create(MAXIMAL);
    const path = `${CHALLENGES}/${challenge_id}`;
    const live = asKey((await server.integration({ mode: 'live' })).apiKey);
    keeps('getProof', 409, await get(`${path}/proof`));
    keeps('simulateChallenge', 400, await post(`${path}/simulate`, {}));
    keeps('simulateChallenge', 401, await post(`${path}/simulate`, wish, {}));
    keeps('simulateChallenge', 403, await post(`${path}/simulate`, wish, live));
    keeps('simulateChallenge', 404, await post(`${CHALLENGES}/${NOBODY}/simulate`, wish));
    const large = { ...wish, comment: 'x'.repeat(70_000) };
    keeps('simulateChallenge', 413, await post(`${path}/simulate`, large));
    const text = { ...asKey(), 'Content-Type': 'text/plain' };
    keeps('simulateChallenge', 415, await post(`${path}/simulate`, 'text', text));
    keeps('simulateChallenge', 200, await post(`${path}/simulate`, { outcome: 'slow' }));
    keeps('simulateChallenge', 200, await post(`${path}/simulate`, wish));
    keeps('simulateChallenge', 409, await post(`${path}/simulate`, wish));

    keeps('getProof', 200, await get(`${path}/proof`));
    keeps('getProof', 401, await get(`${path}/proof`, {}));
    keeps('getProof', 404, await get(`${path}/proof`, live));
    const keys = await get('/.well-known/jwks.json', {});
    keeps('getProofKeys', 200, keys);
    expect(keys.headers['cache-control']).toBe('public, max-age=3600');
    await sql`update challenges set erased_at = now() where id = ${challenge_id}`.execute(server.db);
    keeps('getProof', 410, await get(`${path}/proof`));
  });

  test('erase', async () => {
    const rights = { scopes: ['challenges:create', 'challenges:read', 'challenges:erase'], own_only: false };
    const key = asKey((await server.integration({ rights })).apiKey);
    const { challenge_id } = await server.create(MAXIMAL);
    const path = `${CHALLENGES}/${challenge_id}/erase`;
    keeps('eraseChallenge', 409, await post(path, undefined, key));
    await post(`${CHALLENGES}/${challenge_id}/cancel`);
    keeps('eraseChallenge', 401, await post(path, undefined, {}));
    keeps('eraseChallenge', 403, await post(path));
    keeps('eraseChallenge', 404, await post(`${CHALLENGES}/${NOBODY}/erase`, undefined, key));
    keeps('eraseChallenge', 200, await post(path, undefined, key));
    keeps('getChallenge', 200, await get(`${CHALLENGES}/${challenge_id}`));

    const target = { target_user_email: 'nobody@example.com' };
    expect(contract.errorsOf('/components/schemas/EraseTarget', target)).toBeUndefined();
    keeps('eraseTarget', 200, await post(ERASURES, target, key));
    keeps('eraseTarget', 400, await post(ERASURES, {}, key));
    keeps('eraseTarget', 401, await post(ERASURES, target, {}));
    keeps('eraseTarget', 403, await post(ERASURES, target));
    keeps('eraseTarget', 413, await post(ERASURES, { filler: 'x'.repeat(70_000) }, key));
    keeps('eraseTarget', 415, await post(ERASURES, 'text', { ...key, 'Content-Type': 'text/plain' }));
  });
});

test('a key that may not', async () => {
  const right = async (scope: string) =>
    (await server.integration({ rights: { scopes: [scope], own_only: false } })).apiKey;
  const { challenge_id } = await server.create();
  const [reader, creator] = [await right('challenges:read'), await right('challenges:create')];
  keeps('createChallenge', 403, await server.request.post(CHALLENGES).set(asKey(reader)).send(MAXIMAL));
  keeps(
    'cancelChallenge',
    403,
    await server.request.post(`${CHALLENGES}/${challenge_id}/cancel`).set(asKey(reader)),
  );
  keeps(
    'consumeChallenge',
    403,
    await server.request.post(`${CHALLENGES}/${challenge_id}/consume`).set(asKey(reader)),
  );
  keeps('listChallenges', 403, await server.request.get(CHALLENGES).set(asKey(creator)));
  keeps('getChallenge', 403, await server.request.get(`${CHALLENGES}/${challenge_id}`).set(asKey(creator)));
  keeps('getProof', 403, await get(`${CHALLENGES}/${challenge_id}/proof`, asKey(creator)));
});

describe('deliveries', () => {
  const DELIVERIES = '/api/v1/deliveries';
  const ENDPOINTS = '/api/v1/endpoints';
  const NEITHER = `{"x":"${'x'.repeat(70_000)}"}`;
  const text = () => ({ ...asKey(), 'Content-Type': 'text/plain' });
  /** A delivery of its own endpoint that has had its first attempt. */
  const make = async (callback_url = sink.url) => {
    const answer = await post(`${DELIVERIES}/test`, { callback_url });
    const { delivery_id, endpoint_id } = answer.body as { delivery_id: string; endpoint_id: string };
    const isTried = async () =>
      ((await get(`${DELIVERIES}/${delivery_id}`)).body as { attempts: [] }).attempts.length > 0;
    await until(isTried, 'an attempt');
    return { delivery_id, endpoint_id };
  };
  /** What every request with a body may be told. */
  const refuses = async (operationId: string, path: string) => {
    keeps(operationId, 400, await post(path, { unknown: 1 }));
    keeps(operationId, 401, await post(path, undefined, {}));
    keeps(operationId, 413, await post(path, NEITHER, { ...asKey(), 'Content-Type': 'application/json' }));
    keeps(operationId, 415, await post(path, 'text', text()));
  };

  test('list, read and preview', async () => {
    const { delivery_id } = await make();
    keeps('listDeliveries', 200, await get(DELIVERIES));
    keeps('listDeliveries', 200, await get(`${DELIVERIES}?limit=1`));
    keeps('listDeliveries', 400, await get(`${DELIVERIES}?limit=0`));
    keeps('listDeliveries', 401, await get(DELIVERIES, {}));
    keeps('getDelivery', 200, await get(`${DELIVERIES}/${delivery_id}`));
    keeps('getDelivery', 401, await get(`${DELIVERIES}/${delivery_id}`, {}));
    keeps('getDelivery', 404, await get(`${DELIVERIES}/${NOBODY}`));
    keeps('previewDelivery', 200, await get(`${DELIVERIES}/${delivery_id}/preview`));
    keeps('previewDelivery', 401, await get(`${DELIVERIES}/${delivery_id}/preview`, {}));
    keeps('previewDelivery', 404, await get(`${DELIVERIES}/${NOBODY}/preview`));
    const { apiKey, integrationId } = await server.integration({ callback_url: sink.url });
    const sent = await post(`${DELIVERIES}/test`, undefined, asKey(apiKey));
    await server.db.deleteFrom('callback_secrets').where('integration_id', '=', integrationId).execute();
    const unsigned = `${DELIVERIES}/${(sent.body as { delivery_id: string }).delivery_id}`;
    keeps('previewDelivery', 409, await get(`${unsigned}/preview`));
    keeps('getDelivery', 200, await get(unsigned));
  });

  test('resend, with and without a body to send', async () => {
    const { delivery_id } = await make();
    const path = `${DELIVERIES}/${delivery_id}`;
    keeps('resendDelivery', 202, await post(`${path}/resend`));
    keeps('resendDelivery', 202, await post(`${path}/resend`, {}));
    keeps('resendDelivery', 404, await post(`${DELIVERIES}/${NOBODY}/resend`));
    await refuses('resendDelivery', `${path}/resend`);
    await sql`update events set body = null where id = (select event_id from deliveries where id = ${delivery_id})`.execute(
      server.db,
    );
    keeps('resendDelivery', 410, await post(`${path}/resend`));
    keeps('previewDelivery', 410, await get(`${path}/preview`));
  });

  test('replay and test', async () => {
    keeps('replayDeliveries', 200, await post(`${DELIVERIES}/replay`));
    const maximal = { filter: { status: 'delivered' }, dry_run: false, limit: 10, rate_per_second: 100 };
    expect(contract.errorsOf('/components/schemas/Replay', maximal)).toBeUndefined();
    keeps('replayDeliveries', 200, await post(`${DELIVERIES}/replay`, maximal));
    await refuses('replayDeliveries', `${DELIVERIES}/replay`);
    keeps('testEndpoint', 202, await post(`${DELIVERIES}/test`, { callback_url: sink.url }));
    await refuses('testEndpoint', `${DELIVERIES}/test`);
  });

  test('endpoints', async () => {
    const url = 'http://127.0.0.1:9/';
    const { delivery_id, endpoint_id } = await make(url);
    const path = `${ENDPOINTS}/${endpoint_id}`;
    await sql`insert into gone_urls values (${endpoint_id}, ${url}, now())`.execute(server.db);
    keeps('listEndpoints', 200, await get(ENDPOINTS));
    keeps('listEndpoints', 200, await get(`${ENDPOINTS}?limit=1`));
    keeps('listEndpoints', 400, await get(`${ENDPOINTS}?limit=0`));
    keeps('listEndpoints', 401, await get(ENDPOINTS, {}));
    keeps('getEndpoint', 200, await get(path));
    keeps('getEndpoint', 401, await get(path, {}));
    keeps('getEndpoint', 404, await get(`${ENDPOINTS}/${NOBODY}`));
    keeps('disableEndpoint', 200, await post(`${path}/disable`));
    keeps('disableEndpoint', 404, await post(`${ENDPOINTS}/${NOBODY}/disable`));
    await refuses('disableEndpoint', `${path}/disable`);
    keeps('getEndpoint', 200, await get(path));
    keeps('resendDelivery', 409, await post(`${DELIVERIES}/${delivery_id}/resend`));
    keeps('testEndpoint', 409, await post(`${DELIVERIES}/test`, { callback_url: url }));
    keeps('enableEndpoint', 200, await post(`${path}/enable`, { replay: true }));
    keeps('enableEndpoint', 200, await post(`${path}/enable`));
    keeps('enableEndpoint', 404, await post(`${ENDPOINTS}/${NOBODY}/enable`));
    await refuses('enableEndpoint', `${path}/enable`);
  });

  test('a key that may not', async () => {
    const right = async (scope: string) =>
      asKey((await server.integration({ rights: { scopes: [scope], own_only: false } })).apiKey);
    const [reader, manager] = [await right('challenges:read'), await right('deliveries:manage')];
    keeps('listDeliveries', 403, await get(DELIVERIES, manager));
    keeps('getDelivery', 403, await get(`${DELIVERIES}/${NOBODY}`, manager));
    keeps('previewDelivery', 403, await get(`${DELIVERIES}/${NOBODY}/preview`, manager));
    keeps('listEndpoints', 403, await get(ENDPOINTS, manager));
    keeps('getEndpoint', 403, await get(`${ENDPOINTS}/${NOBODY}`, manager));
    keeps('resendDelivery', 403, await post(`${DELIVERIES}/${NOBODY}/resend`, undefined, reader));
    keeps('replayDeliveries', 403, await post(`${DELIVERIES}/replay`, undefined, reader));
    keeps('testEndpoint', 403, await post(`${DELIVERIES}/test`, undefined, reader));
    keeps('disableEndpoint', 403, await post(`${ENDPOINTS}/${NOBODY}/disable`, undefined, reader));
    keeps('enableEndpoint', 403, await post(`${ENDPOINTS}/${NOBODY}/enable`, undefined, reader));
  });
});

test('webhooks', async () => {
  const { tenant_id } = await server.integration({ newTenant: true });
  const path = `/webhooks/veriff/${await server.provider('veriff', SETTINGS, { tenant_id })}`;
  keeps('showWebhookAddress', 200, await get(path, {}));
  keeps('showWebhookAddress', 404, await get(`/webhooks/veriff/${NOBODY}`, {}));
  const type = { 'Content-Type': 'application/json' };
  const signed = (body: string) => ({
    ...type,
    ...{ 'X-AUTH-CLIENT': SETTINGS.api_key, 'X-HMAC-SIGNATURE': hmacHex(SETTINGS.shared_secret, body) },
  });
  keeps('receiveWebhook', 200, await post(path, WEBHOOK, signed(WEBHOOK)));
  keeps('receiveWebhook', 200, await post(path, WEBHOOK, signed(WEBHOOK)));
  keeps('receiveWebhook', 401, await post(path, WEBHOOK, signed(`${WEBHOOK} `)));
  keeps('receiveWebhook', 404, await post(`/webhooks/veriff/${NOBODY}`, WEBHOOK, signed(WEBHOOK)));
  keeps('receiveWebhook', 413, await post(path, `"${'x'.repeat(300_000)}"`, type));
  const packed = server.request.post(path).set({ ...type, 'Content-Encoding': 'gzip' });
  keeps('receiveWebhook', 415, await packed.send(gzipSync(WEBHOOK)));
  const elsewhere = await server.provider('berbix', SETTINGS, { tenant_id });
  await sql`update provider_accounts set allowed_ips = '{192.0.2.1}' where id = ${elsewhere}`.execute(
    server.db,
  );
  keeps('receiveWebhook', 403, await post(`/webhooks/berbix/${elsewhere}`, WEBHOOK, signed(WEBHOOK)));
});

test('provider accounts and what came in for them', async () => {
  const { apiKey, tenant_id } = await server.integration({ newTenant: true });
  const key = asKey(apiKey);
  keeps('listProviderAccounts', 200, await get(ACCOUNTS, key));
  const account = await server.provider('veriff', SETTINGS, { tenant_id });
  await sql`update provider_accounts set allowed_ips = '{192.0.2.0/24,127.0.0.1}',
    previous_sealed = 'before', previous_until = now() + interval '1 hour' where id = ${account}`.execute(
    server.db,
  );
  keeps('listProviderAccounts', 200, await get(ACCOUNTS, key));
  keeps('listProviderAccounts', 401, await get(ACCOUNTS, {}));

  const path = `${ACCOUNTS}/${account}/webhooks`;
  keeps('listInboundWebhooks', 200, await get(path, key));
  await insertRefusal(server.db, account, { copies: 3, address: null });
  for (const outcome of OUTCOMES) await insertInbound(server.db, account, { outcome });
  await insertInbound(server.db, account, {
    handled_at: null,
    outcome: null,
    provider_session_id: 'session',
  });
  const all = await get(path, key);
  keeps('listInboundWebhooks', 200, all);
  expect((all.body as { data: unknown[] }).data).toHaveLength(OUTCOMES.length + 2);
  const first = await get(`${path}?limit=1`, key);
  keeps('listInboundWebhooks', 200, first);
  const { next_cursor } = first.body as { next_cursor: string };
  keeps('listInboundWebhooks', 200, await get(`${path}?limit=1&cursor=${next_cursor}`, key));
  keeps('listInboundWebhooks', 400, await get(`${path}?outcome=lost`, key));
  keeps('listInboundWebhooks', 401, await get(path, {}));
  keeps('listInboundWebhooks', 404, await get(path));
  const rights = { scopes: ['challenges:read'], own_only: true };
  const narrow = asKey((await server.integration({ rights })).apiKey);
  keeps('listProviderAccounts', 403, await get(ACCOUNTS, narrow));
  keeps('listInboundWebhooks', 403, await get(path, narrow));
});

describe('pages', () => {
  test('the link', async () => {
    const nowhere = await server.create();
    await makeLive(nowhere.challenge_id);
    await driveLink(keeps, server, nowhere);
  });

  test('the steps', () => driveSteps(keeps, server, makeLive));

  test('the callbacks of IdPs', async () => {
    await driveCallbacks(keeps, server, await server.integration({ newTenant: true }));
  });

  test('continue and retry', async () => {
    const { apiKey, tenant_id } = await server.integration({ newTenant: true });
    await server.provider('veriff', { ...SETTINGS, base_url: new URL(veriff.url).origin }, { tenant_id });
    const created = await server.create({}, apiKey);
    const person = createPerson(server);
    await person.start(created).expect(303);
    const page = (id: string) => person.agent.get(`/challenge/${id}/continue`);
    keeps('continueToProvider', 200, await page(created.challenge_id));
    keeps('continueToProvider', 403, await get(`/challenge/${created.challenge_id}/continue`, {}));
    keeps('continueToProvider', 404, await page(NOBODY));
    const sandboxed = await server.create();
    await person.start(sandboxed).expect(303);
    keeps('continueToProvider', 303, await page(sandboxed.challenge_id));

    veriff.answerWith((response) => response.writeHead(500).end());
    const unlucky = await server.create({}, apiKey);
    keeps('giveAnswer', 503, await person.start(unlucky));
    keeps('continueToProvider', 303, await page(unlucky.challenge_id));
    const retry = (id: string, who = person) => who.retry({ ...created, challenge_id: id });
    keeps('retryVerification', 503, await retry(unlucky.challenge_id));
    keeps('retryVerification', 303, await retry(created.challenge_id));
    keeps('retryVerification', 403, await retry(created.challenge_id, createPerson(server)));
    keeps('retryVerification', 404, await retry(NOBODY));
  });

  test('sandbox and result', async () => {
    const created = await server.create();
    const { challenge_id } = created;
    const [person, other] = [createPerson(server), createPerson(server)];
    await person.start(created).expect(303);
    const sandbox = (id: string, who = person) => who.agent.get(`/challenge/${id}/sandbox`);
    keeps('showSandbox', 200, await sandbox(challenge_id));
    keeps('showSandbox', 403, await sandbox(challenge_id, other));
    keeps('showSandbox', 404, await sandbox(NOBODY));
    keeps('showResult', 200, await person.result(created));
    keeps('showResult', 403, await other.result(created));
    keeps('showResult', 404, await person.agent.get(`/challenge/${NOBODY}/result`));
    keeps('decideInSandbox', 400, await person.decide(created, 'maybe'));
    keeps('decideInSandbox', 403, await other.decide(created, 'approve'));
    keeps('decideInSandbox', 404, await person.decide({ ...created, challenge_id: NOBODY }, 'approve'));
    keeps('decideInSandbox', 303, await person.decide(created, 'approve'));
    keeps('showSandbox', 303, await sandbox(challenge_id));
    keeps('showResult', 200, await person.result(created));
    keeps('reportIncidentHere', 303, await person.report(created));
    keeps('sendDeviceFacts', 204, await person.tell(created));
    keeps('getChallenge', 200, await get(`${CHALLENGES}/${challenge_id}`));
  });
});

test('Slack', () => driveSlack(keeps, contract.errorsOf, server));

test('operations', async () => {
  keeps('health', 200, await get('/healthz', {}));
  keeps('readiness', 200, await get('/readyz', {}));
  keeps('metrics', 200, await get('/metrics', {}));
  keeps('metrics', 401, await shaky.server.request.get('/metrics'));
  const spec = await get('/openapi.yaml', {}).buffer(true);
  keeps('contract', 200, spec);
  expect(spec.text).toMatch(/^openapi: 3\.1\.0\n/);
});

test('when the server or its database fails', async () => {
  const { database, proxy, server: one } = shaky;
  await sql`update api_keys set scopes = scopes || '{challenges:erase}'`.execute(database.db);
  const created = await one.create();
  const path = `${CHALLENGES}/${created.challenge_id}`;
  const person = createPerson(one);
  await person.start(created).expect(303);
  await sql`alter table challenges rename to hidden`.execute(database.db);
  keeps('createChallenge', 500, await one.request.post(CHALLENGES).set(asKey(one.apiKey)).send(MAXIMAL));
  await sql`alter table hidden rename to challenges`.execute(database.db);

  proxy.cut();
  keeps('createChallenge', 503, await one.request.post(CHALLENGES).set(asKey(one.apiKey)).send(MAXIMAL));
  keeps('listChallenges', 503, await one.request.get(CHALLENGES).set(asKey(one.apiKey)));
  keeps('getChallenge', 503, await one.request.get(path).set(asKey(one.apiKey)));
  keeps('cancelChallenge', 503, await one.request.post(`${path}/cancel`).set(asKey(one.apiKey)));
  keeps('consumeChallenge', 503, await one.request.post(`${path}/consume`).set(asKey(one.apiKey)));
  const wish = { outcome: 'verify' };
  keeps(
    'simulateChallenge',
    503,
    await one.request.post(`${path}/simulate`).set(asKey(one.apiKey)).send(wish),
  );
  keeps('getProof', 503, await one.request.get(`${path}/proof`).set(asKey(one.apiKey)));
  keeps('getProofKeys', 503, await one.request.get('/.well-known/jwks.json'));
  keeps('eraseChallenge', 503, await one.request.post(`${path}/erase`).set(asKey(one.apiKey)));
  keeps('eraseTarget', 503, await one.request.post(ERASURES).set(asKey(one.apiKey)).send({}));
  const desk = (rest: string) => one.request.get(`/api/v1/${rest}`).set(asKey(one.apiKey));
  const act = (rest: string) => one.request.post(`/api/v1/${rest}`).set(asKey(one.apiKey));
  keeps('listDeliveries', 503, await desk('deliveries'));
  keeps('getDelivery', 503, await desk(`deliveries/${NOBODY}`));
  keeps('previewDelivery', 503, await desk(`deliveries/${NOBODY}/preview`));
  keeps('resendDelivery', 503, await act(`deliveries/${NOBODY}/resend`));
  keeps('replayDeliveries', 503, await act('deliveries/replay'));
  keeps('testEndpoint', 503, await act('deliveries/test').send({ callback_url: sink.url }));
  keeps('listEndpoints', 503, await desk('endpoints'));
  keeps('getEndpoint', 503, await desk(`endpoints/${NOBODY}`));
  keeps('disableEndpoint', 503, await act(`endpoints/${NOBODY}/disable`));
  keeps('enableEndpoint', 503, await act(`endpoints/${NOBODY}/enable`));
  keeps('listProviderAccounts', 503, await desk('provider-accounts'));
  keeps('listInboundWebhooks', 503, await desk(`provider-accounts/${NOBODY}/webhooks`));
  keeps('receiveWebhook', 503, await one.request.post(`/webhooks/veriff/${NOBODY}`).send({}));
  keeps('receiveSlackCommand', 200, await one.request.post(`/slack/${NOBODY}/commands`).send({}));
  keeps('receiveSlackInteraction', 503, await one.request.post(`/slack/${NOBODY}/interactions`).send({}));
  keeps('showSlackManifest', 503, await one.request.get(`/slack/${NOBODY}/manifest.yaml`));
  keeps('showStartPage', 503, await person.open(created));
  keeps('startVerification', 503, await person.press(created));
  const page = (name: string) => person.agent.get(`/challenge/${created.challenge_id}/${name}`);
  keeps('retryVerification', 503, await person.retry(created));
  keeps('finishOidc', 503, await person.agent.get('/auth/callback/oidc?state=x'));
  const own = `/auth/callback/oidc/${NOBODY}?state=x`;
  keeps('finishOwnOidc', 503, await person.agent.get(own));
  keeps('finishSaml', 503, await person.agent.post('/saml/acs').type('form').send({ RelayState: 'x' }));
  keeps('continueToProvider', 503, await page('continue'));
  keeps('readiness', 503, await one.request.get('/readyz'));
});

test('every kind of callback is as documented, headers and body', async () => {
  const end = async (decision: string) => {
    const created = await server.create({ ...MAXIMAL, callback_url: sink.url });
    const person = createPerson(server);
    await person.start(created).set('User-Agent', 'curl/8');
    if (decision === 'expire') await makeOverdue(server.db, created.challenge_id);
    else if (decision === 'cancel') await post(`${CHALLENGES}/${created.challenge_id}/cancel`);
    else if (decision === 'dispute') {
      await person.decide(created, 'approve');
      await person.report(created);
      return sink.waitFor(created.challenge_id, 2);
    } else await person.decide(created, decision, decision === 'report' ? 'I was asleep' : undefined);
    return sink.waitFor(created.challenge_id);
  };
  const { parameters = [], requestBody } = document.webhooks.callback?.post ?? {};
  expect(Object.keys((requestBody && resolve(requestBody, '').value.content) ?? {})).toEqual([
    'application/json',
  ]);
  for (const decision of ['approve', 'decline', 'report', 'cancel', 'expire', 'dispute']) {
    const callback = await end(decision);
    expect(callback.headers['content-type']).toBe('application/json');
    expect([decision, contract.errorsOf('/components/schemas/Callback', callback.json)]).toEqual([
      decision,
      undefined,
    ]);
    for (const [index, { name }] of (parameters as Parameter[]).entries()) {
      const value = callback.headers[name.toLowerCase()];
      expect([name, contract.errorsOf(`/webhooks/callback/post/parameters/${index}/schema`, value)]).toEqual([
        name,
        undefined,
      ]);
    }
    expect(callback.headers['webhook-id']).toBe(callback.json.event_id);
  }
});

test('nothing that the document promises was left out above', () => {
  const documented = listOperations().flatMap(({ operation }) =>
    Object.keys(operation.responses).map((status) => `${operation.operationId} ${status}`),
  );
  expect([...contract.seen, ...UNREACHED].sort()).toEqual(documented.sort());
});
