import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import https from 'node:https';
import type { TLSSocket } from 'node:tls';
import { checkTls } from '../../src/kernel/outbound-tls.ts';
import {
  closeAll,
  failureOf,
  listen,
  outboundWith,
  requestAndSettle,
  requestTo,
  serveHttp,
} from '../support/outbound.ts';
import { createAuthority } from '../support/tls.ts';
import type { Pair } from '../support/tls.ts';

const NAME = 'hooks.example.com';
let authority: ReturnType<typeof createAuthority>;
let stranger: ReturnType<typeof createAuthority>;
let server: Pair;
let client: Pair;

beforeAll(() => {
  authority = createAuthority('House CA');
  stranger = createAuthority('Other CA');
  server = authority.issue([NAME, '127.0.0.1']);
  client = authority.issue(['countersign']);
});
afterAll(() => [authority, stranger].forEach((one) => one.close()));
afterEach(closeAll);

const outboundToLoopback = () => outboundWith({ resolve: () => Promise.resolve(['127.0.0.1']) });

async function serveHttps(options: https.ServerOptions) {
  const subjects: string[] = [];
  const handler = https.createServer(options, ({ socket }, response) => {
    subjects.push((socket as TLSSocket).getPeerCertificate().subject?.CN?.toString() ?? 'nobody');
    response.end('ok');
  });
  const seen = await listen(handler);
  return Object.assign(seen, { subjects, url: `https://${NAME}:${seen.port}/` });
}

describe('TLS of one integration', () => {
  test('its CA is trusted for its own requests, and for nobody else’s', async () => {
    const receiver = await serveHttps(server);
    const outbound = outboundToLoopback();
    const trusting = requestTo(receiver.url, { tls: { ca: authority.cert } });
    expect((await requestAndSettle(outbound, trusting)).status).toBe(200);
    // A connection under the first identity stands idle now, and must not serve the others.
    for (const tls of [undefined, {}, { ca: stranger.cert }]) {
      const failure = await failureOf(outbound.request(requestTo(receiver.url, { tls })));
      expect([failure.errorClass, receiver.subjects.length]).toEqual(['tls', 1]);
    }
    expect((await outbound.request(trusting)).status).toBe(200);
  });

  test('the same PEMs in another object share the connection', async () => {
    const receiver = await serveHttps(server);
    const outbound = outboundToLoopback();
    for (let turn = 0; turn < 3; turn += 1) {
      await requestAndSettle(outbound, requestTo(receiver.url, { tls: { ca: authority.cert } }));
    }
    expect(receiver.connections).toBe(1);
  });

  test('a CA does not excuse another name, nor an expired certificate', async () => {
    const receiver = await serveHttps(server);
    const outdated = await serveHttps(authority.issue([NAME], { expired: true }));
    const outbound = outboundToLoopback();
    const failures = [`https://other.example.com:${receiver.port}/`, outdated.url].map((url) =>
      failureOf(outbound.request(requestTo(url, { tls: { ca: authority.cert } }))),
    );
    expect((await Promise.all(failures)).map(({ errorClass, message }) => [errorClass, message])).toEqual([
      ['tls', expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID')],
      ['tls', expect.stringContaining('CERT_HAS_EXPIRED')],
    ]);
    expect([receiver.subjects, outdated.subjects]).toEqual([[], []]);
  });

  test('a client certificate names us to a receiver that asks for one', async () => {
    const receiver = await serveHttps({ ...server, ca: authority.cert, requestCert: true });
    const outbound = outboundToLoopback();
    const tls = { ca: authority.cert, ...client };
    expect((await requestAndSettle(outbound, requestTo(receiver.url, { tls }))).status).toBe(200);
    const failure = await failureOf(
      outbound.request(requestTo(receiver.url, { tls: { ca: authority.cert } })),
    );
    // With TLS 1.3 we believe in the connection before the receiver has judged us, and it then just hangs up.
    expect([failure.errorClass, receiver.subjects]).toEqual(['reset', ['countersign']]);
  });

  test('PEMs that were never checked fail as tls, and the key is not in the message', async () => {
    const receiver = await serveHttps(server);
    const outbound = outboundToLoopback();
    const tls = { ca: authority.cert, cert: client.cert, key: server.key };
    const failure = await failureOf(outbound.request(requestTo(receiver.url, { tls })));
    expect(failure.errorClass).toBe('tls');
    expect(failure.message).not.toContain(server.key.slice(30, 60));
  });

  test('the agents of identities not used for long are closed once their requests are answered', async () => {
    let release = () => {};
    const slow = await serveHttp((_, response) => (release = () => response.end('late')));
    const quick = await serveHttp((_, response) => response.end());
    const outbound = outboundWith();
    const pending = outbound.request(requestTo(slow.url, { tls: { ca: 'the first' } }));
    for (let turn = 0; turn < 300; turn += 1) {
      await outbound.request(requestTo(quick.url, { tls: { ca: `number ${turn}` } }));
    }
    release();
    expect((await pending).body.toString()).toBe('late');
  });
});

describe('checkTls', () => {
  test('accepts a CA, a chain of them, a client certificate with its key, and nothing at all', () => {
    expect(checkTls({})).toEqual([]);
    expect(checkTls({ ca: authority.cert })).toEqual([]);
    expect(checkTls({ ca: `two of them:\n${authority.cert}\r\n${stranger.cert}` })).toEqual([]);
    expect(checkTls({ cert: client.cert + authority.cert, key: client.key })).toEqual([]);
  });

  test('says what is wrong and what to do', () => {
    const encrypted = authority.encrypt(client.key);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 512 });
    const weak = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const broken = client.cert.replace(/\n[^-].{20}/, '\nAAAAAAAAAAAAAAAAAAAAA');
    const cases: [Parameters<typeof checkTls>[0], string][] = [
      [{ ca: '' }, 'The CA certificate is not one in PEM form.'],
      [{ ca: 'MIIB' }, 'It starts with -----BEGIN CERTIFICATE-----'],
      [{ ca: client.key }, 'The CA certificate is not one in PEM form.'],
      [{ ca: broken }, 'The CA certificate is not one in PEM form.'],
      [{ ca: authority.cert.repeat(200) }, 'at most 65536 characters'],
      [{ cert: client.cert }, 'needed together'],
      [{ key: client.key }, 'needed together'],
      [{ cert: client.key, key: client.key }, 'The client certificate is not one in PEM form.'],
      [{ cert: client.cert, key: client.cert }, 'The key is not a private key in PEM form.'],
      [{ cert: client.cert, key: server.key }, 'The key does not belong to the first client certificate.'],
      [{ cert: authority.cert + client.cert, key: client.key }, 'Put that certificate first.'],
      [{ cert: client.cert, key: weak }, 'The key does not belong to the first client certificate.'],
      [{ cert: client.cert, key: encrypted }, 'openssl pkey -in key.pem -out plain.pem'],
    ];
    for (const [tls, sentence] of cases) expect(() => checkTls(tls)).toThrow(sentence);
  });

  test('an expired certificate is accepted, with a warning that names it', () => {
    const expired = authority.issue(['old'], { expired: true });
    expect(checkTls(expired)).toEqual(['The certificate of CN=old expired on Jan  1 00:00:00 2025 GMT.']);
    expect(checkTls({ ca: authority.cert }, new Date('2001-01-01'))).toEqual([
      expect.stringContaining('The certificate of CN=House CA is valid only from '),
    ]);
  });
});
