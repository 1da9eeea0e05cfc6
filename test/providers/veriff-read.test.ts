import { describe, expect, test } from '@jest/globals';
import { sortableTime } from '../../src/providers/json.ts';
import { veriff } from '../../src/providers/veriff.ts';
import {
  approved,
  ATTEMPT_ID,
  CHALLENGE_ID,
  declined,
  SESSION_ID,
  submitted,
  vendorSample,
} from '../fixtures/veriff/vectors.ts';

const read = (body: unknown) => veriff.readWebhook(typeof body === 'string' ? body : JSON.stringify(body));
const decision = (fields: Record<string, unknown>) =>
  read({ status: 'success', verification: { id: SESSION_ID, attemptId: ATTEMPT_ID, ...fields } });
const event = (fields: Record<string, unknown> = {}) =>
  read({
    id: SESSION_ID,
    attemptId: ATTEMPT_ID,
    feature: 'selfid',
    code: 7002,
    action: 'submitted',
    ...fields,
  });

describe('a decision webhook', () => {
  test('tells session, decision, time and challenge', () => {
    expect(read(approved.body.toString())).toEqual({
      kind: 'decision',
      eventKey: expect.stringMatching(/^decision:[0-9a-f]{64}$/),
      sessionId: SESSION_ID,
      attemptId: ATTEMPT_ID,
      report: {
        decision: { to: 'verified' },
        word: 'approved',
        reasonCode: null,
        decidedAt: '001768471500.123456000',
        challengeId: CHALLENGE_ID,
      },
    });
  });

  test('without time, attempt and vendorData is one all the same', () => {
    const { kind, sessionId, report } = read(declined.body.toString());
    expect({ kind, sessionId }).toEqual({ kind: 'decision', sessionId: SESSION_ID });
    expect(report).toMatchObject({ decidedAt: undefined, challengeId: null, word: 'declined' });
  });

  test('is read from the vendor’s sample', () => {
    const { sessionId, report } = read(vendorSample.body.toString());
    expect(sessionId).toBe('12df6045-3846-3e45-946a-14fa6136d78b');
    expect(report).toMatchObject({ word: 'approved', decision: { to: 'verified' }, challengeId: '12345678' });
  });

  test.each([
    ['approved', { to: 'verified' }],
    ['declined', { to: 'failed', reason: 'declined' }],
    ['expired', { to: 'expired', reason: 'provider_expired' }],
    ['abandoned', { to: 'expired', reason: 'provider_abandoned' }],
    ['resubmission_requested', undefined],
    ['review', undefined],
    ['created', undefined],
    ['something_new', undefined],
    ['Approved', undefined],
    ['toString', undefined],
    ['__proto__', undefined],
  ])('with the status %s concludes %p, whatever the code says', (status, concluded) => {
    for (const code of [9001, 9102, 9121, undefined]) {
      expect(decision({ status, code }).report).toMatchObject({ word: status, decision: concluded });
    }
  });

  test.each([
    ['539', '539'],
    [539, '539'],
    [null, null],
    [undefined, null],
    [{ code: 1 }, null],
    ['x'.repeat(201), null],
  ])('with the reason code %p reads %p', (reasonCode, expected) => {
    expect(decision({ status: 'declined', reasonCode }).report?.reasonCode).toBe(expected);
  });

  test('for somebody else’s vendorData never reads as one without', () => {
    for (const vendorData of ['x', 'ü', 'x'.repeat(1_000), 'nul\0']) {
      expect(decision({ status: 'approved', vendorData }).report?.challengeId).toBe(vendorData);
    }
  });

  test('holds nothing that the database would not take', () => {
    for (const status of ['approved\0', '\ud800', 'x'.repeat(5_000)]) {
      const { word, decision: concluded } = decision({ status, reasonCode: '\ud800\0' }).report ?? {};
      expect(concluded).toBeUndefined();
      expect(word).toMatch(/^[\x20-\x7e]{1,200}$/);
    }
    expect(decision({ status: 'approved', id: 'a\0b' }).sessionId).toBeUndefined();
    expect(decision({ status: 'approved', reasonCode: '\ud800' }).report?.reasonCode).toBeNull();
  });
});

describe('the event key', () => {
  const key = (fields: Record<string, unknown>) => decision({ status: 'approved', ...fields }).eventKey;
  const time = '2026-01-15T10:05:00.123456Z';

  test('is the same for the same decision, however it is written', () => {
    expect(key({ decisionTime: time, code: 9001 })).toBe(
      key({ code: 9001, decisionTime: time, person: null }),
    );
    expect(key({ attemptId: null })).toBe(key({ attemptId: undefined }));
  });

  test('is another for another session, attempt, status or time', () => {
    const keys = [
      key({ decisionTime: time }),
      key({ decisionTime: time, id: ATTEMPT_ID }),
      key({ decisionTime: time, attemptId: SESSION_ID }),
      key({ decisionTime: time, status: 'declined' }),
      key({ decisionTime: '2026-01-15T10:05:00.123457Z' }),
      key({ decisionTime: null }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('of an event depends on session, attempt, action, feature and code', () => {
    const keys = [
      event(),
      event({ id: ATTEMPT_ID }),
      event({ attemptId: SESSION_ID }),
      event({ action: 'started' }),
      event({ feature: 'flow' }),
      event({ code: 7007 }),
    ].map(({ eventKey }) => eventKey);
    expect(new Set(keys).size).toBe(keys.length);
    expect(event().eventKey).toBe(event({ vendorData: 'x', endUserId: null }).eventKey);
  });
});

test('an event webhook says how far the person is and decides nothing', () => {
  expect(read(submitted.body.toString())).toEqual({
    kind: 'event',
    eventKey: expect.stringMatching(/^event:[0-9a-f]{64}$/),
    sessionId: SESSION_ID,
    attemptId: ATTEMPT_ID,
    report: {
      decision: undefined,
      word: 'submitted',
      reasonCode: null,
      decidedAt: undefined,
      challengeId: CHALLENGE_ID,
      progress: { type: 'event', message: 'submitted', at: null },
    },
  });
  expect(event({ action: 'approved', code: 9001 }).report?.decision).toBeUndefined();
});

describe('what is not known changes nothing', () => {
  const data = { sessionId: SESSION_ID, attemptId: ATTEMPT_ID, vendorData: CHALLENGE_ID };
  test.each<[string, unknown]>([
    ['a type that came later', { eventType: 'something_new', data: { code: 200 }, ...data }],
    ['a registry we do not know', { type: 'rfc_registry', id: SESSION_ID, data: { status: 'found' } }],
    ['half a watchlist result', { checkType: 'initial_result', hits: [], ...data }],
    ['a decision inside another type', { eventType: 'new', verification: { id: 'x', status: 'approved' } }],
    ['a decision without status', { status: 'success', verification: { id: SESSION_ID } }],
    ['a read-back before any decision', { status: 'success', verification: null }],
    ['an event without code', { id: SESSION_ID, action: 'submitted' }],
    ['a list', [{ verification: { status: 'approved' } }]],
    ['a verification in a list', { verification: [{ status: 'approved' }] }],
    ['null', null],
    ['no JSON', '{"verification":{"status":"approved"'],
    ['nothing', ''],
    ['any text', '\0\ufffd\u2028'],
  ])('%s', (_, body) => {
    expect(read(body)).toEqual({
      kind: 'unknown',
      eventKey: expect.stringMatching(/^body:[0-9a-f]{64}$/),
      sessionId: undefined,
      report: undefined,
    });
  });
});

describe('times in a form that sorts', () => {
  test.each([
    ['2026-01-15T10:05:00Z', '001768471500.000000000'],
    ['2026-01-15T10:05:00.123Z', '001768471500.123000000'],
    ['2026-01-15T10:05:00.123456Z', '001768471500.123456000'],
    ['2026-01-15T10:05:00.123456789Z', '001768471500.123456789'],
    ['2026-01-15T12:05:00.123+02:00', '001768471500.123000000'],
    ['2026-01-15T04:35:00.123456-05:30', '001768471500.123456000'],
  ])('%s is %s', (text, expected) => {
    expect(sortableTime(text)).toBe(expected);
  });

  test('order is that of time, though fractions differ in length', () => {
    const inOrder = [
      '2019-11-06T07:18:36.916Z',
      '2026-01-15T10:05:00Z',
      '2026-01-15T10:05:00.001Z',
      '2026-01-15T10:05:00.001000001Z',
      '2026-01-15T10:05:00.0011Z',
      '2026-01-15T12:05:00.0012+02:00',
      '2026-01-15T10:05:01Z',
    ];
    const sortable = inOrder.map((time) => sortableTime(time) ?? '');
    expect([...sortable].reverse().sort()).toEqual(sortable);
  });

  test.each([
    null,
    undefined,
    0,
    1768471500,
    '',
    'yesterday',
    '2026-01-15',
    '2026-01-15T10:05:00',
    '2026-01-15 10:05:00Z',
    '2026-13-45T10:05:00Z',
    '2026-01-15T10:05:00.1234567890Z',
    '1969-12-31T23:59:59Z',
    ' 2026-01-15T10:05:00Z',
    {},
  ])('%p is none', (value) => {
    expect(sortableTime(value)).toBeUndefined();
  });
});
