import { describe, expect, test } from '@jest/globals';
import { veriff } from '../../src/providers/veriff.ts';
import {
  change,
  curp,
  flowEvent,
  fullAuto,
  ine,
  ineAndCurp,
  userStatus,
  watchlist,
} from '../fixtures/veriff/types.ts';
import type { Body } from '../fixtures/veriff/types.ts';
import { SESSION_ID } from '../fixtures/veriff/vectors.ts';

describe('the event key', () => {
  const keyOf = (body: unknown) => veriff.readWebhook(JSON.stringify(body)).eventKey;

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
