import { describe, expect, test } from '@jest/globals';
import { berbix } from '../../src/providers/berbix.ts';
import type { Settings } from '../../src/providers/provider.ts';
import { CHALLENGE_ID } from '../fixtures/berbix/vectors.ts';
import { toldBy, withBerbix } from '../support/berbix.ts';
import type { Berbix } from '../support/berbix.ts';
import { startSink } from '../support/sink.ts';

const run = { challengeId: CHALLENGE_ID, returnUrl: 'https://id.example/challenge/x/result' };
let vendor: Berbix;
const { outbound, http } = withBerbix((started) => {
  vendor = started;
});

async function begin(settings: Settings = vendor.settings) {
  const { sessionId = '', url, token } = await berbix.startSession(run, settings, http);
  return { sessionId, url, token };
}

describe('opening a transaction', () => {
  test('asks for a hosted one, and returns its id with all digits, its address and its refresh token', async () => {
    const session = await begin();
    const known = vendor.sessions.at(-1);
    expect(session).toEqual({ sessionId: known?.id, url: known?.url, token: known?.refreshToken });
    expect(known).toMatchObject({ challengeId: CHALLENGE_ID, redirectUrl: run.returnUrl });
    expect(Number.isSafeInteger(Number(session.sessionId))).toBe(false);
    expect(vendor.requests).toEqual([{ method: 'POST', path: '/v0/transactions', status: 200 }]);
  });

  test('sends what Berbix documents, and the secret as the user of Basic authorization', async () => {
    const sink = await startSink((response) =>
      response.end(
        '{"transaction_id":123456789012,"hosted_url":"https://verify.berbix.example/x","refresh_token":"rt"}',
      ),
    );
    const base_url = new URL(sink.url).origin;
    const settings = { api_secret: 'secret_test_ü', template_key: 'tk', base_url: `${base_url}/` };
    expect(await berbix.startSession(run, settings, http)).toEqual({
      sessionId: '123456789012',
      url: 'https://verify.berbix.example/x',
      token: 'rt',
    });
    expect(sink.received).toHaveLength(1);
    expect(sink.received[0]).toMatchObject({
      method: 'POST',
      path: '/v0/transactions',
      json: {
        customer_uid: CHALLENGE_ID,
        template_key: 'tk',
        hosted_options: { redirect_url: run.returnUrl },
      },
      headers: {
        'content-type': 'application/json',
        authorization: `Basic ${Buffer.from('secret_test_ü:').toString('base64')}`,
      },
    });
    await sink.close();
  });

  test.each<[string, object | string]>([
    ['has no address', { transaction_id: 1, refresh_token: 'rt' }],
    [
      'has a script for an address',
      { transaction_id: 1, refresh_token: 'rt', hosted_url: 'javascript:alert(1)' },
    ],
    [
      'has a file for an address',
      { transaction_id: 1, refresh_token: 'rt', hosted_url: 'file:///etc/passwd' },
    ],
    ['has half an address', { transaction_id: 1, refresh_token: 'rt', hosted_url: '/hosted/x' }],
    [
      'has a list of addresses',
      { transaction_id: 1, refresh_token: 'rt', hosted_url: ['https://x.example'] },
    ],
    ['has no id', { refresh_token: 'rt', hosted_url: 'https://x.example' }],
    ['has words for an id', { transaction_id: 'one', refresh_token: 'rt', hosted_url: 'https://x.example' }],
    ['has no refresh token', { transaction_id: 1, hosted_url: 'https://x.example' }],
    ['has an empty refresh token', { transaction_id: 1, refresh_token: '', hosted_url: 'https://x.example' }],
    [
      'has a line end in the token',
      { transaction_id: 1, refresh_token: 'a\nb', hosted_url: 'https://x.example' },
    ],
    ['is a list', []],
    ['is no JSON', '<html>'],
    ['is empty', ''],
  ])('fails when the answer %s', async (_, body) => {
    vendor.answerWith((_route, reply) =>
      typeof body === 'string' ? { ...reply, body } : { ...reply, body: JSON.stringify(body) },
    );
    expect(await toldBy(begin())).toContain('Berbix answered without a hosted transaction');
    expect(vendor.requests).toHaveLength(1);
  });

  test.each([301, 302, 400, 401, 404, 409, 410, 429, 500, 503])(
    'fails when Berbix answers %d',
    async (status) => {
      vendor.answerWith((_route, reply) => ({ ...reply, status, headers: { location: vendor.url } }));
      expect(await toldBy(begin())).toContain(`Berbix answered ${status}`);
      expect(vendor.requests).toHaveLength(1);
    },
  );

  test('fails with the wrong secret or template, and tells neither', async () => {
    const wrong = { ...vendor.settings, api_secret: 'secret_test_wrong' };
    const refused = await toldBy(begin(wrong));
    expect(refused).toContain('Berbix answered 401');
    expect(refused).not.toContain('secret_test');
    expect(await toldBy(begin({ ...vendor.settings, template_key: 'tk_other' }))).toContain(
      'Berbix answered 400',
    );
  });

  test('fails when Berbix hangs up', async () => {
    vendor.answerWith(() => 'hang up');
    const failure = await toldBy(begin());
    expect(failure).not.toContain('secret_test');
    expect(failure).not.toContain(Buffer.from(`${vendor.settings.api_secret}:`).toString('base64'));
  });

  test('fails when the answer is beyond all measure', async () => {
    vendor.answerWith((_route, reply) => ({ ...reply, body: `${' '.repeat(300_000)}${reply.body}` }));
    expect(await toldBy(begin())).toContain('Berbix answered without');
  });

  test('fails when live mode would lead the person to an address without TLS', async () => {
    const live = { outbound, reach: { http: false, loopback: false } };
    expect(await toldBy(berbix.startSession(run, vendor.settings, live))).toContain('Use https://');
    expect(vendor.requests).toHaveLength(0);
  });
});
