import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { signatureHeaders } from '../../src/deliveries/callback.ts';
import { newId } from '../../src/kernel/id.ts';
import { callbackSecretContext } from '../../src/tenants/keys.ts';
import { insertCallbackSecret } from '../../src/tenants/secrets-store.ts';
import { nthAttempt, settle } from '../support/deliveries.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { startSink } from '../support/sink.ts';
import {
  refusalOfLibrary,
  verifyLikeGitHub,
  verifyStandard,
  verifyWithNode,
  verifyWithPython,
} from '../support/verifiers.ts';

const CONTEXT = 'Zoë asks — ☃ "quoted"';
const BODY = '{"event_type":"challenge.completed","note":"Zoë"}';
const EVENT = '0198c0de-0000-7000-8000-000000000001';
const AT = new Date(1_764_590_400_999);
const PLAIN = 'your-webhook-secret';
const PREFIXED = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';

// Computed apart from our code, once with Python's hmac and once with
//   printf '%s' "$body" | openssl dgst -sha256 -hmac "$secret"
//   printf '%s' "$event.1764590400.$body" | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64
const BODY_ONLY = {
  [PLAIN]: 'sha256=d1280a610282bd6c37734db91a0a094007355e397d62664410e027557c167cb6',
  [PREFIXED]: 'sha256=2484e2cbeedaf4fd235627545af390a51850421f65979e768bf706759ca83524',
};
const STANDARD = {
  [PLAIN]: 'v1,tMLou12MVxTlRElrUQx2BDyqp0OE5lrFSIIvnnpomNg=',
  [PREFIXED]: 'v1,0jtjDP7ed3DMtMKEGtVcaBDVY6u6ArxBJsuqCduaMeg=',
};

describe('the signature headers', () => {
  test.each([PLAIN, PREFIXED] as const)('of %s are these bytes', (secret) => {
    expect(signatureHeaders(BODY, EVENT, [secret], AT)).toEqual({
      'x-webhook-signature': BODY_ONLY[secret],
      'webhook-id': EVENT,
      'webhook-timestamp': '1764590400',
      'webhook-signature': STANDARD[secret],
    });
  });

  test('with several secrets, every one signs; the one-value header stays with the oldest', () => {
    const headers = signatureHeaders(BODY, EVENT, [PREFIXED, PLAIN], AT);
    expect(headers['x-webhook-signature']).toBe(BODY_ONLY[PLAIN]);
    expect(headers['webhook-signature']).toBe(`${STANDARD[PREFIXED]} ${STANDARD[PLAIN]}`);
  });

  test('without a secret there is no signature that anybody could forge', () => {
    expect(() => signatureHeaders(BODY, EVENT, [], AT)).toThrow('no valid callback secret');
  });
});

describe('a real callback', () => {
  let server: TestServer;
  let sink: Awaited<ReturnType<typeof startSink>>;
  let receiver: Awaited<ReturnType<typeof startReceiver>>;
  beforeAll(async () => {
    server = await startServer();
    sink = await startSink();
    receiver = await startReceiver(server.secret);
  });
  afterAll(async () => {
    await server.close();
    await sink.close();
    await receiver.close();
  });

  const settled = (callback_url: string, apiKey = server.apiKey) =>
    settle(server, { callback_url, context: CONTEXT }, apiKey);

  test.each([
    ['a secret of words', { secret: PLAIN }],
    ['a whsec_ secret', { secret: PREFIXED }],
    ['a generated secret', {}],
  ])(
    'signed with %s passes the Python sample, the Node sample, a check like for GitHub and Standard Webhooks',
    async (_, given: { secret?: string }) => {
      const { apiKey, secret } = await server.integration(given);
      const { body, headers } = await sink.waitFor(await settled(sink.url, apiKey));
      const header = String(headers['x-webhook-signature']);
      expect(verifyWithPython(body, header, secret)).toBe(true);
      expect(verifyWithNode(body, header, secret)).toBe(true);
      expect(verifyLikeGitHub(body, header, secret)).toBe(true);
      expect(verifyStandard(body, headers, secret)).toBe(true);

      const changed = Buffer.concat([body, Buffer.from(' ')]);
      expect(verifyWithPython(changed, header, secret)).toBe(false);
      expect(verifyWithNode(changed, header, secret)).toBe(false);
      expect(verifyLikeGitHub(changed, header, secret)).toBe(false);
      expect(verifyStandard(changed, headers, secret)).toBe(false);
      const other = `whsec_${randomBytes(24).toString('base64')}`;
      expect(verifyWithPython(body, header, other)).toBe(false);
      expect(verifyLikeGitHub(body, header, other)).toBe(false);
      expect(verifyStandard(body, headers, other)).toBe(false);
      expect(verifyStandard(body, headers, secret, Date.now() + 301_000)).toBe(false);
    },
  );

  test('passes the package of Standard Webhooks, which refuses other bytes, another secret, and what is old', async () => {
    const { apiKey, secret } = await server.integration();
    const { body, headers } = await sink.waitFor(await settled(sink.url, apiKey));
    expect(refusalOfLibrary(body, headers, secret)).toBeUndefined();
    const wrong = 'No matching signature found';
    expect(refusalOfLibrary(Buffer.concat([body, Buffer.from(' ')]), headers, secret)).toBe(wrong);
    expect(refusalOfLibrary(body, headers, `whsec_${randomBytes(32).toString('base64')}`)).toBe(wrong);
    const later = String(Number(headers['webhook-timestamp']) + 1);
    expect(refusalOfLibrary(body, { ...headers, 'webhook-timestamp': later }, secret)).toBe(wrong);
    expect(refusalOfLibrary(body, { ...headers, 'webhook-id': newId() }, secret)).toBe(wrong);

    const signedAgo = (seconds: number) =>
      signatureHeaders(body.toString(), EVENT, [secret], new Date(Date.now() - 1_000 * seconds));
    expect(refusalOfLibrary(body, signedAgo(240), secret)).toBeUndefined();
    expect(refusalOfLibrary(body, signedAgo(302), secret)).toBe('Message timestamp too old');
  });

  test('signed with a secret of words passes that package as a raw key, or in base64, but not as it stands', async () => {
    const { apiKey, secret } = await server.integration({ secret: PLAIN });
    const { body, headers } = await sink.waitFor(await settled(sink.url, apiKey));
    expect(refusalOfLibrary(body, headers, secret, 'raw')).toBeUndefined();
    expect(refusalOfLibrary(body, headers, Buffer.from(secret).toString('base64'))).toBeUndefined();
    expect(() => refusalOfLibrary(body, headers, secret)).toThrow(/Base64/); // it has a hyphen
    expect(refusalOfLibrary(body, headers, 'another-secret', 'raw')).toBe('No matching signature found');
  });

  test('while a secret is being replaced, receivers with the old and with the new one both accept it', async () => {
    const { integrationId, apiKey, secret: old } = await server.integration({ secret: PLAIN });
    const id = newId();
    const sealed = server.sealer.seal(PREFIXED, callbackSecretContext(id));
    await insertCallbackSecret(server.db, integrationId, id, sealed);
    const { body, headers } = await sink.waitFor(await settled(sink.url, apiKey));
    expect(verifyWithNode(body, String(headers['x-webhook-signature']), old)).toBe(true);
    expect(verifyStandard(body, headers, old)).toBe(true);
    expect(verifyStandard(body, headers, PREFIXED)).toBe(true);
  });

  test('an Express receiver as in the contract takes it, and refuses it under another secret', async () => {
    const accepted = await settled(`${receiver.url}/right`);
    const refused = await settled(`${receiver.url}/wrong`);

    const first = await nthAttempt(server.db, accepted, 1);
    expect(first).toMatchObject({ attempt: { status_code: 200 }, delivery: { status: 'delivered' } });
    expect(receiver.taken).toMatchObject([{ challenge_id: accepted, context: CONTEXT }]);
    const other = await nthAttempt(server.db, refused, 1);
    expect(other).toMatchObject({ attempt: { status_code: 401 }, delivery: { status: 'pending' } });
  });
});

/** The contract's Express sample; `/right` checks with the secret, `/wrong` with another one. */
async function startReceiver(secret: string) {
  const taken: unknown[] = [];
  const takeWith = (key: string) => (req: express.Request, res: express.Response) => {
    const payload = req.body as Buffer;
    if (!verifyWithNode(payload, req.get('x-webhook-signature'), key)) {
      return void res.status(401).json({ error: 'Invalid signature' });
    }
    taken.push(JSON.parse(payload.toString()));
    res.json({ status: 'ok' });
  };
  const app = express();
  app.post('/right', express.raw({ type: 'application/json' }), takeWith(secret));
  app.post('/wrong', express.raw({ type: 'application/json' }), takeWith('another secret'));
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
