import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { sign } from '../../src/simulators/veriff-auth.ts';
import { startVeriff } from '../../src/simulators/veriff.ts';
import { CHALLENGE_ID } from '../fixtures/veriff/vectors.ts';
import { clientOf } from '../support/veriff-client.ts';
import type { VeriffClient } from '../support/veriff-client.ts';

let veriff: Awaited<ReturnType<typeof startVeriff>>;
let client: VeriffClient;
beforeEach(async () => {
  veriff = await startVeriff();
  client = clientOf(veriff);
});
afterEach(() => veriff.close());

describe('the API', () => {
  test('opens a session and tells of it, signed', async () => {
    const { session, created } = await client.open();
    expect(created.json).toMatchObject({
      status: 'success',
      verification: { id: session.id, url: session.url, vendorData: CHALLENGE_ID, status: 'created' },
    });
    expect(created.headers.get('x-hmac-signature')).toBe(sign(veriff.credentials.secret, created.text));
    const decision = await client.api('GET', `/sessions/${session.id}/decision`, session.id);
    expect(decision).toMatchObject({ status: 200, json: { status: 'success', verification: null } });
    const attempts = await client.api('GET', `/sessions/${session.id}/attempts`, session.id);
    expect(attempts.json.verifications).toMatchObject([{ id: session.attemptId, status: 'created' }]);
  });

  test('refuses another key, another secret, and a signature over anything else', async () => {
    const { session } = await client.open();
    const body = JSON.stringify({ verification: {} });
    const { apiKey, secret } = veriff.credentials;
    const path = `/sessions/${session.id}/decision`;
    const answers = [
      await client.api('POST', '/sessions', body, body, { apiKey: 'another', secret }),
      await client.api('POST', '/sessions', body, body, { apiKey, secret: 'another' }),
      await client.api('POST', '/sessions', `${body} `, body),
      await client.api('POST', '/sessions', '', body),
      await client.api('GET', path, path),
      await client.api('GET', path, ''),
      await client.api('GET', path, session.attemptId),
    ];
    for (const { status, json } of answers) {
      expect(status).toBe(401);
      expect(json.status).toBe('fail');
    }
    const bare = await fetch(`${veriff.url}/v1/sessions`, { method: 'POST', body });
    expect(bare.status).toBe(401);
    expect(veriff.sessions).toHaveLength(1);
  });

  test('knows no other sessions and no other addresses', async () => {
    const id = CHALLENGE_ID;
    expect((await client.api('GET', `/sessions/${id}/decision`, id)).status).toBe(404);
    expect((await client.api('GET', '/sessions', '')).status).toBe(404);
    expect((await fetch(`${veriff.url}/v/wrong`)).status).toBe(404);
  });

  test.each([
    ['no verification', '{}'],
    ['no JSON', 'verification'],
    ['null', 'null'],
    ['too long a vendorData', JSON.stringify({ verification: { vendorData: 'x'.repeat(1_001) } })],
  ])('refuses a session of %s', async (_, body) => {
    expect((await client.api('POST', '/sessions', body, body)).status).toBe(400);
  });

  test('goes on under the settings of an earlier run', async () => {
    const again = await startVeriff({ settings: veriff.settings });
    expect(again.settings).toEqual({ ...veriff.settings, base_url: again.url });
    await again.close();
  });
});
