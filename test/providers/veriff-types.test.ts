import { describe, expect, test } from '@jest/globals';
import { veriff } from '../../src/providers/veriff.ts';
import {
  change,
  curp,
  decision,
  event,
  flowEvent,
  fullAuto,
  ine,
  ineAndCurp,
  PERSONAL,
  samples,
  userStatus,
  watchlist,
} from '../fixtures/veriff/types.ts';
import { approved, ATTEMPT_ID, CHALLENGE_ID, SESSION_ID } from '../fixtures/veriff/vectors.ts';

const readText = (text: string) => veriff.readWebhook(text);
const read = (body: unknown) => readText(JSON.stringify(body));
const signalOf = (body: unknown) => read(body).report?.signals?.[0];

describe('every type', () => {
  test.each(samples)('is recognised with session, attempt and challenge: %s', (kind, body) => {
    expect(read(body)).toMatchObject({
      kind,
      sessionId: SESSION_ID,
      attemptId: ATTEMPT_ID,
      report: { challengeId: CHALLENGE_ID },
    });
  });

  test.each(samples)('leaves personal data behind: %s', (_, body) => {
    const written = JSON.stringify(read(body));
    for (const value of PERSONAL) expect(written).not.toContain(value);
  });

  test.each(samples)('has the same event key when it comes again: %s', (_, body) => {
    expect(read(structuredClone(body)).eventKey).toBe(read(body).eventKey);
  });

  test('has an event key of its own', () => {
    const keys = samples.map(([, body]) => read(body).eventKey);
    expect(new Set(keys).size).toBe(samples.length);
  });

  test.each(samples)('is one without session, attempt and challenge too: %s', (kind, body) => {
    const bare = { ...body, sessionId: undefined, attemptId: undefined, vendorData: undefined };
    const without = 'verification' in body ? change(body, 'verification.id', undefined) : bare;
    expect(read(without)).toMatchObject({ kind });
  });

  test.each(samples)('with something new in it is still that type: %s', (kind, body) => {
    expect(read({ ...body, addedLater: { verification: { status: 'declined' } } }).kind).toBe(kind);
  });
});

describe('what decides', () => {
  const decides = (body: unknown) => read(body).report?.decision;

  test('is a decision or a full auto result and nothing else', () => {
    const deciding = samples.filter(([, body]) => decides(body)).map(([kind]) => kind);
    expect(deciding).toEqual(['decision', 'full_auto']);
  });

  test.each([
    ['approved', { to: 'verified' }],
    ['declined', { to: 'failed', reason: 'declined' }],
    ['expired', { to: 'expired', reason: 'provider_expired' }],
    ['abandoned', { to: 'expired', reason: 'provider_abandoned' }],
    ['resubmission_requested', undefined],
    ['review', undefined],
    ['Approved', undefined],
    ['constructor', undefined],
  ])('full auto uses the words of decisions: %s', (word, concluded) => {
    const { report } = read(change(fullAuto, 'data.verification.decision', word));
    expect(report).toMatchObject({ word, decision: concluded, reasonCode: null });
  });

  test('full auto is ordered by its time, and counts without one', () => {
    expect(read(fullAuto).report?.decidedAt).toBe('001768471242.754000000');
    const { eventKey, report } = read({ ...fullAuto, time: undefined });
    expect(report).toMatchObject({ decision: { to: 'verified' }, decidedAt: undefined });
    expect(eventKey).toMatch(/^body:/);
  });

  test.each(['review', 'Approved', null])(
    'full auto without a conclusive word has no place in the order: %p',
    (word) => {
      const { report } = read(change(fullAuto, 'data.verification.decision', word));
      expect(report?.decidedAt).toBeUndefined();
    },
  );

  test.each([
    ['no data', { ...fullAuto, data: undefined }],
    ['data that is a list', { ...fullAuto, data: [fullAuto.data] }],
    ['no verification', { ...fullAuto, data: {} }],
    ['a list of decisions', change(fullAuto, 'data.verification.decision', ['approved'])],
    ['the decision outside its place', { ...fullAuto, data: {}, decision: 'approved' }],
  ])('full auto with %s decides nothing', (_, body) => {
    expect(read(body)).toMatchObject({
      kind: 'full_auto',
      report: { decision: undefined, word: 'unreadable' },
    });
  });
});

describe('what is found beside the decision', () => {
  test.each([
    [
      'watchlist_screening',
      watchlist,
      '2026-01-15T10:06:00.000Z',
      { check_type: 'updated_result', match_status: 'possible_match', total_hits: 1 },
    ],
    [
      'risk_labels',
      decision,
      '2026-01-15T10:05:00.123456Z',
      {
        labels: [
          { label: 'document_integration_level_crosslinked_with_fraud', category: 'document' },
          { label: 'device_suspicious', category: 'device' },
        ],
      },
    ],
    [
      'ine_registry',
      ine,
      '2026-01-15T10:06:30.000Z',
      { status: 'Está vigente como medio de identificación', code: 200, active: true },
    ],
    ['curp_registry', curp, null, { status: 'found', code: 200, status_curp: 'RCN' }],
    [
      'ine_curp_registry',
      ineAndCurp,
      '2026-01-15T10:06:31.000Z',
      { status: 'found', code: 200, active: false, status_curp: 'AN' },
    ],
    ['user_status', userStatus, '2026-01-15T11:00:00.123456Z', { status_code: 'looks_odd' }],
    [
      'full_auto',
      fullAuto,
      '2026-01-15T10:00:42.754Z',
      {
        decision_score: 0.97,
        insights: [
          { label: 'faceLiveness', result: 'yes', category: 'biometric' },
          { label: 'expiredDocument', result: 'no', category: 'document' },
        ],
      },
    ],
  ])('%s', (kind, body, at, facts) => {
    expect(read(body).report?.signals).toEqual([{ kind, at, facts }]);
  });

  test('a decision without risk labels has no signals', () => {
    for (const labels of [undefined, null, [], {}, 'document', [null, 'x']])
      expect(read(change(decision, 'verification.riskLabels', labels)).report?.signals).toBeUndefined();
    expect(readText(approved.body.toString()).report?.signals).toBeUndefined();
  });

  test('a time that is none is left out, so that the time we heard of it counts', () => {
    for (const createdAt of [undefined, null, 'yesterday', 1768471560, {}, '2026-01-15T10:06:00Z\0'])
      expect(signalOf({ ...watchlist, createdAt })?.at).toBeNull();
  });

  test('a full auto result may have no score and no insights', () => {
    const bare = change(
      change(fullAuto, 'data.verification.decisionScore', null),
      'data.verification.insights',
      null,
    );
    expect(signalOf(bare)?.facts).toEqual({ decision_score: null, insights: [] });
  });

  test('the CURP does not get in by another door', () => {
    const number = 'XEXA900203HDFRRR01';
    expect(signalOf(change(curp, 'data.details.statusCurp', number))?.facts).toEqual({
      status: 'found',
      code: 200,
    });
    expect(signalOf(change(ineAndCurp, 'data.details.curp', number))?.facts).toEqual({
      status: 'found',
      code: 200,
      active: false,
    });
  });

  test('lists are cut short', () => {
    const many = Array.from({ length: 10_000 }, (_, n) => ({ label: `l${n}`, category: 'x', result: 'no' }));
    const labels = signalOf(change(decision, 'verification.riskLabels', many))?.facts.labels;
    const insights = signalOf(change(fullAuto, 'data.verification.insights', many))?.facts.insights;
    expect([labels, insights].map((list) => (list as unknown[]).length)).toEqual([50, 50]);
  });
});

describe('progress', () => {
  test('is what an event says the person did', () => {
    for (const body of [event, flowEvent])
      expect(read(body).report?.progress).toEqual({ type: 'event', message: body.action, at: null });
    expect(read(change(event, 'action', '\ud800')).report?.progress).toBeUndefined();
  });

  test('comes with events only', () => {
    const kinds = samples.filter(([, body]) => read(body).report?.progress).map(([kind]) => kind);
    expect(new Set(kinds)).toEqual(new Set(['event']));
  });
});

describe('a watchlist result of the older form', () => {
  test('names its attempt, and no session', () => {
    const older = { ...watchlist, sessionId: undefined, vendorData: undefined };
    expect(read(older)).toMatchObject({
      kind: 'watchlist_screening',
      sessionId: undefined,
      attemptId: ATTEMPT_ID,
      report: { challengeId: null, word: 'possible_match' },
    });
  });
});
