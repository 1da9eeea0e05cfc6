import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { veriff } from '../../src/providers/veriff.ts';
import {
  change,
  curp,
  decision,
  event,
  fullAuto,
  ine,
  samples,
  userStatus,
  watchlist,
} from '../fixtures/veriff/types.ts';
import type { Body } from '../fixtures/veriff/types.ts';
import { CHALLENGE_ID, SESSION_ID } from '../fixtures/veriff/vectors.ts';

const readText = (text: string) => veriff.readWebhook(text);
const read = (body: unknown) => readText(JSON.stringify(body));
const signalOf = (body: unknown) => read(body).report?.signals?.[0];

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
