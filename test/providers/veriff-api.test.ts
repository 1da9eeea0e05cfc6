import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createOutbound } from '../../src/kernel/outbound.ts';
import { veriff } from '../../src/providers/veriff.ts';
import { authHeaders, sign } from '../../src/simulators/veriff-auth.ts';
import {
  API_KEY,
  CHALLENGE_ID,
  SECRET,
  SESSION_ID,
  SESSION_ID_SIGNATURE,
} from '../fixtures/veriff/vectors.ts';
import { decision, PERSONAL } from '../fixtures/veriff/types.ts';
import { startSink } from '../support/sink.ts';

const run = { challengeId: CHALLENGE_ID, returnUrl: 'https://id.example/challenge/x/result' };
const fetchReport = (sessionId: string) =>
  veriff.fetchReport({ sessionId, token: undefined }, settings, http);
const outbound = createOutbound({ allowedCidrs: ['127.0.0.0/8'], userAgent: 'test' });
const http = { outbound, reach: { http: true, loopback: true } };

let sink: Awaited<ReturnType<typeof startSink>>;
let settings: { api_key: string; shared_secret: string; base_url: string };
beforeAll(async () => {
  sink = await startSink();
  settings = { api_key: API_KEY, shared_secret: SECRET, base_url: new URL(sink.url).origin };
});
beforeEach(() => {
  sink.received.length = 0;
});
afterAll(async () => {
  await outbound.close();
  await sink.close();
});

/** Lets Veriff answer each address on its own, in JSON. */
function answerEach(answers: { [path: string]: unknown }): void {
  sink.answerWith((response, { path }) => response.end(JSON.stringify(answers[path] ?? {})));
}

/** Lets Veriff answer this; signed if `headers` say so. */
function answer(
  json: unknown,
  { status = 200, headers = {} }: { status?: number; headers?: object } = {},
): void {
  const text = typeof json === 'string' ? json : JSON.stringify(json);
  sink.answerWith((response) => response.writeHead(status, { ...headers }).end(text));
}

const created = {
  status: 'success',
  verification: { id: SESSION_ID, url: 'http://127.0.0.1/v/TOKEN', more: {} },
};

describe('opening a session', () => {
  test('sends callback and vendorData, signed over the very bytes', async () => {
    answer(created, { status: 201 });
    const session = await veriff.startSession(run, settings, http);
    expect(session).toEqual({ sessionId: SESSION_ID, url: 'http://127.0.0.1/v/TOKEN' });
    const [request] = sink.received;
    expect(request).toMatchObject({
      method: 'POST',
      path: '/v1/sessions',
      json: { verification: { callback: run.returnUrl, vendorData: CHALLENGE_ID } },
      headers: { 'content-type': 'application/json', 'x-auth-client': API_KEY },
    });
    expect(request?.headers['x-hmac-signature']).toBe(sign(SECRET, request?.body ?? ''));
  });

  test.each(['', '/', '/v1', '/v1/'])('finds /v1 when the base URL ends in "%s"', async (end) => {
    answer(created);
    await veriff.startSession(run, { ...settings, base_url: settings.base_url + end }, http);
    expect(sink.received[0]?.path).toBe('/v1/sessions');
  });

  test.each<[string, unknown, number?]>([
    ['has no verification', { status: 'success' }],
    ['has no id', { verification: { url: 'http://127.0.0.1/v/T' } }],
    ['has no address', { verification: { id: SESSION_ID } }],
    ['has a script for an address', { verification: { id: SESSION_ID, url: 'javascript:alert(1)' } }],
    ['has half an address', { verification: { id: SESSION_ID, url: '/v/T' } }],
    ['is no JSON', '<html>'],
    ['is empty', ''],
    ['is a list', []],
    ['redirects', created, 302],
    ['refuses', { status: 'fail', code: '1', message: 'no' }, 401],
    ['is too many requests', { status: 'fail' }, 429],
    ['is an error', created, 500],
  ])('fails when the answer %s', async (_, json, status = 200) => {
    answer(json, { status, headers: { location: settings.base_url } });
    await expect(veriff.startSession(run, settings, http)).rejects.toThrow(/^Veriff answered/);
    expect(sink.received).toHaveLength(1);
  });

  test('fails when live mode would lead the person to an address without TLS', async () => {
    answer(created);
    const live = { outbound, reach: { http: false, loopback: false } };
    await expect(veriff.startSession(run, settings, live)).rejects.toThrow('Use https://');
    expect(sink.received).toHaveLength(0);
  });
});

describe('reading a decision back', () => {
  const verification = { id: SESSION_ID, status: 'approved', vendorData: CHALLENGE_ID, decisionTime: null };

  test('signs the session id', async () => {
    answer({ status: 'success', verification });
    const report = await fetchReport(SESSION_ID);
    expect(report).toMatchObject({
      decision: { to: 'verified' },
      challengeId: CHALLENGE_ID,
      decidedAt: undefined,
    });
    expect(sink.received[0]).toMatchObject({
      method: 'GET',
      path: `/v1/sessions/${SESSION_ID}/decision`,
      headers: { 'x-auth-client': API_KEY, 'x-hmac-signature': SESSION_ID_SIGNATURE },
    });
  });

  test('keeps a strange session id inside its place in the path', async () => {
    answer({ verification: null });
    await fetchReport('../x?y');
    expect(sink.received[0]?.path).toBe('/v1/sessions/..%2Fx%3Fy/decision');
  });

  test.each<[string, unknown]>([
    ['it is about another session', { verification: { ...verification, id: CHALLENGE_ID } }],
    ['it is about no session', { verification: { status: 'approved' } }],
    ['it is no JSON', 'approved'],
  ])('tells nothing when %s', async (_, json) => {
    answer(json);
    expect(await fetchReport(SESSION_ID)).toBeUndefined();
  });

  test('has no personal data in what it tells', async () => {
    answer(decision);
    const written = JSON.stringify(await fetchReport(SESSION_ID));
    expect(written).toContain('declined');
    for (const value of PERSONAL) expect(written).not.toContain(value);
  });

  test.each(['x', 'vrf', 'both'] as const)('checks a signature under %s names', async (names) => {
    const text = JSON.stringify({ verification });
    const signed = (secret: string) => authHeaders({ apiKey: API_KEY, secret }, text, names);
    answer(text, { headers: signed(SECRET) });
    expect(await fetchReport(SESSION_ID)).toMatchObject({ word: 'approved' });
    answer(text, { headers: signed('another') });
    await expect(fetchReport(SESSION_ID)).rejects.toThrow('wrong signature');
  });

  test.each([
    ['the documented names', 'x'],
    ['the newer names', 'vrf'],
  ] as const)('refuses an answer signed wrongly under %s alone', async (_, wrong) => {
    const text = JSON.stringify({ verification });
    const right = authHeaders({ apiKey: API_KEY, secret: SECRET }, text, 'both');
    answer(text, { headers: { ...right, [`${wrong}-hmac-signature`]: '0'.repeat(64) } });
    await expect(fetchReport(SESSION_ID)).rejects.toThrow('wrong signature');
  });
});

describe('while there is no decision, the newest attempt is asked about', () => {
  const base = `/v1/sessions/${SESSION_ID}`;
  const attempts = (...statuses: unknown[]) => ({
    status: 'success',
    verifications: statuses.map((status, n) => ({
      id: `attempt-${n}`,
      status,
      createdTime: '2026-01-15T10:00:00.000Z',
    })),
  });
  const fetchWith = (listed: unknown) => {
    answerEach({
      [`${base}/decision`]: { status: 'success', verification: null },
      [`${base}/attempts`]: listed,
    });
    return fetchReport(SESSION_ID);
  };

  test('with a signature over the session id, as ever', async () => {
    await fetchWith(attempts('created'));
    expect(sink.received.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `GET ${base}/decision`,
      `GET ${base}/attempts`,
    ]);
    for (const { headers } of sink.received) expect(headers['x-hmac-signature']).toBe(SESSION_ID_SIGNATURE);
  });

  test.each([
    ['approved', { to: 'verified' }],
    ['declined', { to: 'failed', reason: 'declined' }],
    ['expired', { to: 'expired', reason: 'provider_expired' }],
    ['submitted', undefined],
    ['resubmission_requested', undefined],
  ])('%s says so, without a time', async (word, decided) => {
    const report = { decision: decided, word, reasonCode: null, decidedAt: undefined, challengeId: null };
    expect(await fetchWith(attempts(word))).toEqual(report);
  });

  test('older attempts do not count', async () => {
    expect(await fetchWith(attempts('submitted', 'declined', 'approved'))).toMatchObject({
      word: 'submitted',
      decision: undefined,
    });
  });

  test.each<[string, unknown]>([
    ['there is no attempt', attempts()],
    ['the answer has no list', { status: 'success' }],
    ['the list is no list', { verifications: { 0: { status: 'approved' } } }],
    ['the list has no attempts in it', { verifications: ['approved', null] }],
  ])('nothing is told when %s', async (_, listed) => {
    expect(await fetchWith(listed)).toBeUndefined();
  });

  test('a status that is no word decides nothing', async () => {
    expect(await fetchWith(attempts(['approved']))).toMatchObject({
      word: 'unreadable',
      decision: undefined,
    });
  });

  test('not when the answer about a decision cannot be read', async () => {
    answerEach({ [`${base}/decision`]: {}, [`${base}/attempts`]: attempts('approved') });
    expect(await fetchReport(SESSION_ID)).toBeUndefined();
    expect(sink.received).toHaveLength(1);
  });
});
