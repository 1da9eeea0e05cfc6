import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Json } from '../../src/providers/json.ts';
import { basicOf, startBerbix } from '../support/berbix.ts';
import type { Berbix } from '../support/berbix.ts';

let vendor: Berbix;
beforeAll(async () => {
  vendor = await startBerbix();
});
afterAll(() => vendor.close());

const basic = () => basicOf(vendor.settings.api_secret);
const refresh = (refresh_token: unknown, grant_type: unknown = 'refresh_token') =>
  vendor.api('POST', '/v0/tokens', basic(), { grant_type, refresh_token });

describe('the API creates a transaction', () => {
  test('with tokens for an hour and a hosted page', async () => {
    const { status, json } = await vendor.create();
    const known = vendor.sessions.at(-1)!;
    expect(status).toBe(200);
    expect(json).toEqual({
      transaction_id: known.id,
      access_token: expect.stringMatching(/\S/),
      client_token: expect.stringMatching(/\S/),
      refresh_token: known.refreshToken,
      expires_in: 3_600,
      hosted_url: known.url,
    });
    // A number, though no JavaScript number holds it.
    expect(BigInt(known.id) > 2n ** 53n && BigInt(known.id) < 2n ** 63n).toBe(true);
    expect(await vendor.sessionOf('uid-1')).toBe(known);
  });

  test('without a hosted page where none is asked for', async () => {
    const { json } = await vendor.create({ hosted_options: undefined });
    expect(json).not.toHaveProperty('hosted_url');
    expect((await vendor.create({ hosted_options: {} })).json).toHaveProperty('hosted_url');
  });

  test.each<[string, Json]>([
    ['customer_uid', { customer_uid: undefined }],
    ['an empty customer_uid', { customer_uid: '' }],
    ['customer_uid as a number', { customer_uid: 7 }],
    ['template_key', { template_key: undefined }],
    ['a template that is not there', { template_key: 'tk_other' }],
    ['hosted_options as text', { hosted_options: 'yes' }],
    ['redirect_url as a number', { hosted_options: { redirect_url: 7 } }],
  ])('not: %s', async (_, fields) => {
    const before = vendor.sessions.length;
    expect((await vendor.create(fields)).status).toBe(400);
    expect(vendor.sessions).toHaveLength(before);
  });

  test.each(['{', '', '[]', '"x"'])('not from a body that is no object: %j', async (body) => {
    expect((await vendor.api('POST', '/v0/transactions', basic(), body)).status).toBe(400);
  });

  test.each<[string, () => string]>([
    ['another secret', () => basicOf('secret_test_other')],
    ['a password', () => `Basic ${Buffer.from(`${vendor.settings.api_secret}:x`).toString('base64')}`],
    [
      'a secret without its colon',
      () => `Basic ${Buffer.from(vendor.settings.api_secret).toString('base64')}`,
    ],
    ['the secret in the clear', () => `Bearer ${vendor.settings.api_secret}`],
    ['nothing', () => ''],
  ])('not with %s for an authorization', async (_, authorization) => {
    expect((await vendor.api('POST', '/v0/transactions', authorization(), {})).status).toBe(401);
    expect((await vendor.api('POST', '/v0/tokens', authorization(), {})).status).toBe(401);
  });
});

describe('the API keeps tokens', () => {
  test('a refresh token gives new ones, again and again, and older ones go on for their hour', async () => {
    const { json, bearer } = await vendor.begin();
    for (const _ of [1, 2]) {
      const renewed = await refresh(json.refresh_token);
      expect(renewed).toMatchObject({
        status: 200,
        json: { refresh_token: json.refresh_token, expires_in: 3_600 },
      });
      const read = await vendor.api('GET', '/v0/transactions', `Bearer ${String(renewed.json.access_token)}`);
      expect(read).toMatchObject({ status: 200, json: { id: json.transaction_id } });
    }
    expect((await vendor.api('GET', '/v0/transactions', bearer)).status).toBe(200);
  });

  test.each<[string, unknown, unknown, number]>([
    ['an unknown token', 'rt', 'refresh_token', 401],
    ['no token', undefined, 'refresh_token', 400],
    ['another grant', 'rt', 'password', 400],
    ['no grant', 'rt', null, 400],
  ])('%s gives none', async (_, token, grant, status) => {
    expect((await refresh(token, grant)).status).toBe(status);
  });

  test('an access token is over after an hour, and not before', async () => {
    const { bearer } = await vendor.begin();
    vendor.putForward(3_590_000);
    expect((await vendor.api('GET', '/v0/transactions', bearer)).status).toBe(200);
    vendor.putForward(11_000);
    expect((await vendor.api('GET', '/v0/transactions', bearer)).status).toBe(401);
    expect((await vendor.api('DELETE', '/v0/transactions', bearer)).status).toBe(401);
    vendor.putForward(-3_601_000);
  });

  test('only an access token opens a transaction', async () => {
    const { json } = await vendor.begin();
    for (const token of [json.client_token, json.refresh_token, 'at', '']) {
      expect((await vendor.api('GET', '/v0/transactions', `Bearer ${String(token)}`)).status).toBe(401);
    }
    expect((await vendor.api('GET', '/v0/transactions', `Token ${String(json.access_token)}`)).status).toBe(
      401,
    );
    expect((await vendor.api('GET', '/v0/transactions', basic())).status).toBe(401);
  });
});

describe('the API tells of a transaction', () => {
  test('no action and nobody’s data before the end; both after it', async () => {
    const { session, bearer } = await vendor.begin();
    const before = await vendor.api('GET', '/v0/transactions', bearer);
    expect(before.json).toMatchObject({ id: session.id, customer_uid: session.challengeId, flags: [] });
    expect(before.json).not.toHaveProperty('action');
    expect(before.json).not.toHaveProperty('fields');
    vendor.play(session, 'reject');
    const after = await vendor.api('GET', '/v0/transactions', bearer);
    expect(after.json).toMatchObject({ action: 'reject', flags: ['id_expired'], fields: expect.anything() });
  });

  test('which PATCH changes and DELETE ends', async () => {
    const { bearer } = await vendor.begin();
    const change = (body: Json) => vendor.api('PATCH', '/v0/transactions', bearer, body);
    expect(await change({ action: 'accept', note: 'seen' })).toMatchObject({
      status: 200,
      json: { action: 'accept' },
    });
    expect((await change({ note: 'seen' })).status).toBe(400);
    expect((await change({ action: 'accept', note: 7 })).status).toBe(400);
    expect((await vendor.api('DELETE', '/v0/transactions', bearer)).status).toBe(204);
    expect((await vendor.api('GET', '/v0/transactions', bearer)).status).toBe(410);
  });

  test('at these addresses alone', async () => {
    expect((await vendor.api('GET', '/v0/other', basic())).status).toBe(404);
    expect((await vendor.api('GET', '/v0/tokens', basic())).status).toBe(404);
  });
});
