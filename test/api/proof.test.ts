import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { isSigned, partsOf } from '../support/proofs.ts';
import type { Jwk } from '../support/proofs.ts';
import { expectRefusal } from '../support/refusal.ts';
import { makeOverdue } from '../support/rows.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const JWKS = '/.well-known/jwks.json';
const NOBODY = '00000000-0000-4000-8000-000000000000';
const NOT_FOUND = { code: 'not_found', error: 'Challenge not found' };
/** Claims that stand in the API under the same name, with the same value. */
const SHARED = [
  ...['mode', 'status', 'failure_reason', 'incident', 'disputed', 'created_at', 'completed_at', 'expires_at'],
  ...[
    'valid_until',
    'consumed_at',
    'target_user_id',
    'target_user_email',
    'requester_id',
    'ticket',
    'context',
  ],
  ...['auth_method', 'auth_time', 'acr', 'amr', 'subject', 'subject_match'],
];

// No sweep: what is overdue stays as it was stored.
let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api', env: HTTPS });
});
afterAll(() => server.close());

const ask = (id: string, key = server.apiKey) =>
  server.request.get(`/api/v1/challenges/${id}/proof`).set('X-API-Key', key);
const act = (id: string, what: string, body?: object) =>
  server.request.post(`/api/v1/challenges/${id}/${what}`).set('X-API-Key', server.apiKey).send(body);
const keysOf = async () => ((await server.request.get(JWKS).expect(200)).body as { keys: Jwk[] }).keys;

/** A challenge that ended so, and its proof. */
async function proven(outcome: string, wish: Record<string, unknown> = {}) {
  const { challenge_id } = await server.create(wish);
  await act(challenge_id, 'simulate', { outcome }).expect(200);
  return { id: challenge_id, ...(await proofOf(challenge_id)) };
}

async function proofOf(id: string) {
  const { body } = await ask(id).expect(200);
  const { proof, kid, jwks_url } = body as Record<string, string>;
  return { proof: proof!, kid, jwks_url, ...partsOf(proof!) };
}

describe('a proof', () => {
  test('says what the API says, in a form of its own, signed by a key that anybody can fetch', async () => {
    const wish = {
      target_user_id: 'u1',
      context: 'Reset\nplease, Zoë',
      ticket: 'INC1',
      requester_id: 'itsm',
    };
    const { id, proof, kid, jwks_url, header, claims } = await proven('verify', wish);
    expect(jwks_url).toBe(`${HTTPS.PUBLIC_URL}${JWKS}`);
    expect(header).toEqual({ alg: 'ES256', typ: 'countersign-proof+jwt', kid });
    const read = await server.read(id);
    const { tenant_id } = await server.integration();
    expect(claims).toEqual({
      ...Object.fromEntries(SHARED.map((name) => [name, read[name]])),
      ...{ iss: HTTPS.PUBLIC_URL, jti: id, tenant: tenant_id, iat: expect.any(Number) },
    });
    expect(claims).toMatchObject({ ...wish, status: 'verified', auth_method: 'sandbox', mode: 'test' });
    expect(Math.abs(Date.now() / 1_000 - Number(claims.iat))).toBeLessThan(60);
    expect(isSigned(proof, await keysOf())).toBe(true);
    // A bit of any part, and another key.
    const [first = '', second = '', third = ''] = proof.split('.');
    const forged = Buffer.from(JSON.stringify({ ...claims, target_user_email: 'eve@example.com' }));
    expect(isSigned([first, forged.toString('base64url'), third].join('.'), await keysOf())).toBe(false);
    const other = await proven('deny');
    expect(isSigned([first, second, other.proof.split('.')[2]].join('.'), await keysOf())).toBe(false);
  });

  test.each([
    ['deny', { status: 'failed', failure_reason: 'declined', incident: null, valid_until: null }],
    ['incident', { status: 'failed', failure_reason: 'incident_reported', incident: { comment: null } }],
    ['expire', { status: 'expired', failure_reason: null, auth_method: null }],
  ])('after %s says that as well', async (outcome, expected) => {
    const { proof, claims } = await proven(outcome);
    expect(claims).toMatchObject(expected);
    expect(isSigned(proof, await keysOf())).toBe(true);
  });

  test('is of the moment: it says later that the result was spent, and then that it was disputed', async () => {
    const { id, claims } = await proven('verify');
    expect(claims).toMatchObject({ consumed_at: null, disputed: false });
    await act(id, 'consume').expect(200);
    const { consumed_at } = await server.read(id);
    expect((await proofOf(id)).claims).toMatchObject({ consumed_at, disputed: false });
    await sql`update challenges set disputed = true, valid_until = null, incident_reported_at = now()
      where id = ${id}`.execute(server.db);
    expect((await proofOf(id)).claims).toMatchObject({
      ...{ status: 'verified', disputed: true, valid_until: null },
      incident: { reported_at: expect.any(String) },
    });
  });

  test('is there as soon as the deadline has passed, and not before the end', async () => {
    const { challenge_id } = await server.create();
    const open = (status: string) => `Challenge is still ${status}; there is no result to prove yet`;
    expectRefusal(await ask(challenge_id), 409, { code: 'conflict', error: open('initiated') });
    await act(challenge_id, 'simulate', { outcome: 'slow' }).expect(200);
    expectRefusal(await ask(challenge_id), 409, { code: 'conflict', error: open('in-progress') });
    await makeOverdue(server.db, challenge_id);
    const { claims } = await proofOf(challenge_id);
    expect(claims).toMatchObject({ status: 'expired', completed_at: claims.expires_at });
  });

  test('of an erased challenge is gone', async () => {
    const rights = { scopes: ['challenges:erase', 'challenges:read'], own_only: false };
    const { apiKey } = await server.integration({ rights });
    const { id } = await proven('verify');
    const path = `/api/v1/challenges/${id}/erase`;
    await server.request.post(path).set('X-API-Key', apiKey).expect(200);
    const error = 'Challenge was erased; there is nothing left to prove';
    expectRefusal(await ask(id), 410, { code: 'gone', error });
  });

  test('of another tenant, another mode, a neighbour or nobody is not found', async () => {
    const { id } = await proven('verify');
    const own = { scopes: ['challenges:read'], own_only: true };
    for (const wish of [{ newTenant: true }, { mode: 'live' as const }, { rights: own }]) {
      const { apiKey } = await server.integration(wish);
      expectRefusal(await ask(id, apiKey), 404, NOT_FOUND);
    }
    for (const wrong of [NOBODY, 'x']) expectRefusal(await ask(wrong), 404, NOT_FOUND);
  });

  test('needs a key that may read', async () => {
    const { id } = await proven('verify');
    const rights = { scopes: ['challenges:create'], own_only: false };
    const { apiKey } = await server.integration({ rights });
    expectRefusal(await ask(id, 'wrong'), 401, { code: 'unauthorized' });
    expect((await ask(id, apiKey)).status).toBe(403);
    expectRefusal(await act(id, 'proof'), 405, { code: 'method_not_allowed' });
  });
});

describe('the list of keys', () => {
  test('is for everybody everywhere, may be kept for an hour, and has nothing private', async () => {
    const answer = await server.request.get(JWKS).set('Origin', 'https://elsewhere.example').expect(200);
    expect(answer.headers).toMatchObject({
      ...{ 'access-control-allow-origin': '*', 'cache-control': 'public, max-age=3600' },
      'content-type': expect.stringMatching(/^application\/json\b/),
    });
    const { keys } = answer.body as { keys: Record<string, string>[] };
    expect(keys).toHaveLength(1);
    const [{ x, y, kid } = {}] = keys;
    expect(keys).toEqual([{ kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' }]);
    // RFC 7638 §3.2
    const members = `{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`;
    expect(kid).toBe(createHash('sha256').update(members).digest('base64url'));
    expectRefusal(await server.request.post(JWKS), 405, { code: 'method_not_allowed' });
  });

  test('stays as it is however many proofs are asked for at once', async () => {
    const before = await keysOf();
    const { id } = await proven('verify');
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(id).expect(200)));
    for (const { body } of answers) expect(isSigned((body as { proof: string }).proof, before)).toBe(true);
    expect(await keysOf()).toEqual(before);
  });

  test('is made anew if it is lost, by the first proof that is asked for', async () => {
    const { id } = await proven('verify');
    await server.db.deleteFrom('proof_keys').execute();
    const proofs = await Promise.all(Array.from({ length: 5 }, () => proofOf(id)));
    const keys = await keysOf();
    expect(keys).toHaveLength(1);
    for (const { proof } of proofs) expect(isSigned(proof, keys)).toBe(true);
  });
});
