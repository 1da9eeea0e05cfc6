import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { passbase } from '../../src/providers/passbase.ts';
import { completed, KEY, reviewed } from '../fixtures/passbase/vectors.ts';

const read = (body: unknown) => passbase.readWebhook(typeof body === 'string' ? body : JSON.stringify(body));
const hint = (fields: object = {}) => ({
  ...{ event: 'VERIFICATION_REVIEWED', key: KEY, status: 'approved' },
  ...{ created: 1767261600, updated: 1767265200, processed: 1767261900 },
  ...fields,
});

describe('a webhook is only a hint', () => {
  test.each([
    ['completed', completed.text],
    ['reviewed', reviewed.text],
  ])('that a verification was %s: Passbase is asked, and its word not taken over', (word, text) => {
    expect(read(text)).toEqual({
      kind: `verification_${word}`,
      eventKey: expect.stringMatching(new RegExp(`^verification_${word}:[0-9a-f]{64}$`)),
      sessionId: KEY,
      report: undefined,
      ask: true,
      repeats: false,
    });
  });

  test.each(['DATAPOINT_UPDATED', 'WATCHLIST_MONITORING'])('that there was %s', (event) => {
    expect(read({ event, key: KEY })).toEqual({
      kind: event.toLowerCase(),
      eventKey: expect.stringMatching(/^body:[0-9a-f]{64}$/),
      sessionId: KEY,
      report: undefined,
      ask: true,
      // Nothing in it tells one change from the next.
      repeats: true,
    });
  });

  test.each(['IDENTITY_AUTHENTICATED', 'AUTHENTICATION_COMPLETED', 'AUTHENTICATION_REVIEWED'])(
    'but for %s, which is no verification',
    (event) => {
      expect(read(hint({ event }))).toMatchObject({
        kind: event.toLowerCase(),
        report: undefined,
        ask: false,
      });
    },
  );

  test('and names the identity in one form, however the key is written', () => {
    expect(read(hint({ key: KEY.toUpperCase() }))).toEqual(read(hint()));
  });
});

describe('the event key', () => {
  const key = (fields: object = {}) => read(hint(fields)).eventKey;

  test('is the same for the same event, however it is written and encrypted', () => {
    expect(key()).toBe(read(reviewed.text).eventKey);
    const { event, ...others } = hint();
    expect(read(JSON.stringify({ ...others, created: 0, more: {}, event }, null, 2)).eventKey).toBe(key());
  });

  test('is another for another event, identity, status or time', () => {
    const keys = [
      key(),
      key({ event: 'VERIFICATION_COMPLETED' }),
      key({ key: KEY.replace('5', '6') }),
      key({ status: 'declined' }),
      key({ updated: 1767265201 }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test.each<[string, object]>([
    ['status', { status: undefined }],
    ['time', { updated: undefined }],
    ['time that is a number', { updated: '1767265200' }],
    ['plain status', { status: { is: 'approved' } }],
  ])('is that of the text where it has no %s', (_, fields) => {
    expect(key(fields)).toMatch(/^body:/);
    expect(key({ ...fields, more: 1 })).not.toBe(key(fields));
  });
});

describe('what could not be opened', () => {
  test.each<[string, unknown]>([
    ['another event', hint({ event: 'VERIFICATION_STARTED' })],
    ['no key', hint({ key: null })],
    ['a list', [hint()]],
    ['null', null],
    ['no JSON', '{"event":'],
    ['nothing', ''],
  ])('changes nothing: %s', (_, body) => {
    expect(read(body)).toEqual({
      kind: 'unknown',
      eventKey: expect.stringMatching(/^body:[0-9a-f]{64}$/),
      sessionId: undefined,
      report: undefined,
    });
  });

  test('never throws, whatever it is', () => {
    const one = fc.record(
      {
        event: fc.oneof(fc.constantFrom('VERIFICATION_REVIEWED', 'toString', '__proto__'), fc.jsonValue()),
        key: fc.oneof(fc.uuid(), fc.jsonValue()),
        status: fc.oneof(fc.string(), fc.jsonValue()),
        updated: fc.oneof(fc.double(), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          one.map((value) => JSON.stringify(value)),
        ),
        (text) => {
          const { kind, eventKey, sessionId, report } = read(text);
          expect(`${kind} ${eventKey}`).toMatch(/^[a-z_]+ [a-z_]+:[0-9a-f]{64}$/);
          expect([undefined, expect.stringMatching(/^[0-9a-f-]{36}$/)]).toContainEqual(sessionId);
          expect(report).toBeUndefined();
        },
      ),
    );
  });
});
