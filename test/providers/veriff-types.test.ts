import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { veriff } from '../../src/providers/veriff.ts';
import {
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

type Body = { [field: string]: unknown };

const readText = (text: string) => veriff.readWebhook(text);
const read = (body: unknown) => readText(JSON.stringify(body));
const signalOf = (body: unknown) => read(body).report?.signals?.[0];

/** The sample with the value at this path replaced; undefined takes it away. */
function change(sample: Body, path: string, value: unknown): Body {
  const copy = structuredClone(sample);
  const names = path.split('.');
  const last = names.pop() ?? '';
  const place = names.reduce((inside, name) => inside[name] as Body, copy);
  place[last] = value;
  return copy;
}

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

describe('the event key', () => {
  const keyOf = (body: unknown) => read(body).eventKey;

  test.each<[string, Body, string, unknown]>([
    ['watchlist results of one attempt', watchlist, 'createdAt', '2026-03-01T00:00:00.000Z'],
    ['watchlist checks', watchlist, 'checkType', 'initial_result'],
    ['registry results', ine, 'time', '2026-01-15T10:06:30.001Z'],
    ['combined registry results', ineAndCurp, 'attemptId', SESSION_ID],
    ['CURP results', curp, 'data.status', 'not_found'],
    ['labels given by hand', userStatus, 'data.verification.userDefinedData.statusCode', 'looks_fine'],
    [
      'labels given again',
      userStatus,
      'data.verification.userDefinedData.createdAt',
      '2026-01-15T12:00:00.123456Z',
    ],
    ['full auto results', fullAuto, 'time', '2026-01-15T10:00:42.755Z'],
    ['events of the flow', flowEvent, 'context', { state: 'again' }],
  ])('tells %s apart', (_, body, path, value) => {
    expect(keyOf(change(body, path, value))).not.toBe(keyOf(body));
  });

  test.each<[string, Body, string]>([
    ['a watchlist result', watchlist, 'createdAt'],
    ['a registry result', ine, 'time'],
    ['a label', userStatus, 'data.verification.userDefinedData.createdAt'],
    ['a full auto result', fullAuto, 'time'],
  ])('of %s without its time is that of its text', (_, body, path) => {
    const timeless = change(body, path, null);
    expect(keyOf(timeless)).toMatch(/^body:/);
    expect(keyOf({ ...timeless, version: '2' })).not.toBe(keyOf(timeless));
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

describe('marks of two types at once', () => {
  const verification = { id: SESSION_ID, status: 'approved' };
  test.each<[string, Body]>([
    ['a decision in an event', { ...event, verification }],
    ['a decision in a watchlist result', { ...watchlist, verification }],
    ['a decision in a full auto result', { ...fullAuto, verification }],
    ['a decision in a CURP result', { ...curp, verification }],
    ['a decision under a type that came later', { ...decision, eventType: 'decision.created' }],
    ['a decision under a type that is no word', { ...decision, eventType: ['fullauto'] }],
    ['an event under a type', { ...event, eventType: 'user-status.created' }],
    ['a watchlist result in a registry result', { ...watchlist, ...ine }],
    ['two registries by two names', { ...curp, ...ine }],
    ['an object’s own name for a type', { ...ine, eventType: 'constructor' }],
  ])('%s: kept, and without effect', (_, body) => {
    expect(read(body)).toEqual({
      kind: 'unknown',
      eventKey: expect.stringMatching(/^body:[0-9a-f]{64}$/),
      sessionId: undefined,
      report: undefined,
    });
  });

  test('an empty type is none', () => {
    expect(read({ ...decision, eventType: null }).kind).toBe('decision');
  });
});

describe('hostile values', () => {
  const duplicated = (json: string) => readText(`{"status":"success","verification":{"id":"x",${json}}}`);

  test('a key that stands twice with different values could be read in two ways, so it is not read', () => {
    expect(duplicated('"status":"declined","status":"approved"')).toMatchObject({
      kind: 'unknown',
      report: undefined,
    });
    expect(readText('{"eventType":"fullauto","eventType":"ine_registry"}').kind).toBe('unknown');
    expect(duplicated('"status":"approved"').kind).toBe('decision');
  });

  test.each(['id', 'attemptId'])('a %s that is no plain word is none', (name) => {
    for (const value of [[SESSION_ID], { id: 1 }, 7, true, 'a\0b', '\udc00', 'x'.repeat(201), '']) {
      const { sessionId, attemptId } = read(change(decision, `verification.${name}`, value));
      expect(name === 'id' ? sessionId : attemptId).toBeUndefined();
    }
  });

  test('an echo that is no text is a mismatch, not an absence', () => {
    for (const vendorData of [[CHALLENGE_ID], { id: CHALLENGE_ID }, 7, false])
      expect(read({ ...watchlist, vendorData }).report?.challengeId).toBe('unreadable');
  });

  test('what could not be stored stays out of signals', () => {
    const bad = 'odd\0 \ud800 \u202e✓';
    const written = JSON.stringify([
      signalOf(change(userStatus, 'data.verification.userDefinedData.statusCode', bad)),
      signalOf(change(ine, 'data.status', bad)),
      signalOf(change(watchlist, 'matchStatus', bad)),
      signalOf(change(fullAuto, 'data.verification.insights', [{ label: bad, result: {}, category: [1] }])),
      signalOf(change(fullAuto, 'data.verification.decisionScore', { a: 1 })),
    ]);
    expect(written).not.toMatch(/\\u0000|\\ud800|\u202e/i);
    expect(written).toContain('odd');
  });

  test('any text is read without a complaint', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => {
        const { kind, report } = readText(text);
        expect(kind === 'unknown').toBe(report === undefined);
      }),
    );
  });

  test('any value in any place of any type is read without a complaint, and can be stored', () => {
    const anything = fc.jsonValue({ stringUnit: 'binary', maxDepth: 2 });
    const paths = samples.flatMap(([, body]) => pathsOf(body).map((path) => ({ body, path })));
    fc.assert(
      fc.property(fc.constantFrom(...paths), anything, ({ body, path }, value) => {
        const { eventKey, sessionId, attemptId, report } = read(change(body, path, value));
        const { signals, progress, word, reasonCode } = report ?? {};
        const stored = JSON.stringify({
          ...{ eventKey, sessionId, attemptId },
          ...{ signals, progress, word, reasonCode },
        });
        expect(stored).not.toMatch(/\\u0000|\\ud[89a-f]/i);
      }),
      { numRuns: 2_000 },
    );
  });
});

function pathsOf(value: unknown, at = ''): string[] {
  if (typeof value !== 'object' || value === null) return [at];
  const inside = Object.entries(value).flatMap(([name, part]) => pathsOf(part, at ? `${at}.${name}` : name));
  return at ? [at, ...inside] : inside;
}
