import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { berbix } from '../../src/providers/berbix.ts';
import { CHALLENGE_ID } from '../fixtures/berbix/vectors.ts';
import { about, change, finish, readText, step } from '../support/berbix-bodies.ts';

describe('the event key', () => {
  const keys = (webhooks: { eventKey: string }[]) => webhooks.map(({ eventKey }) => eventKey);

  test('of a finish is that of transaction and action', () => {
    expect(finish({ dashboard_link: 'x', code: 'y', user_id: 1 }).eventKey).toBe(finish().eventKey);
    const others = [finish(), finish({ transaction_id: 5 }), finish({ action: 'reject' })];
    expect(new Set(keys(others)).size).toBe(3);
  });

  test('of a changed status is that of its id', () => {
    expect(change({ dashboard_link: 'x' }).eventKey).toBe(change().eventKey);
    expect(change({ id: 1 }).eventKey).not.toBe(change().eventKey);
  });

  test('of progress is that of transaction, type, message and time, to the last digit', () => {
    const others = [
      step(),
      step({ transaction_id: 5 }),
      step({ type: 'error' }),
      step({ message: 'SESSION_FINISHED' }),
      step({ created_at: '2026-01-01T10:00:00.123456788Z' }),
    ];
    expect(new Set(keys(others)).size).toBe(others.length);
    expect(step({ customer_uid: null }).eventKey).toBe(step().eventKey);
  });

  test('tells the kinds apart', () => {
    expect(new Set(keys([finish(), change(), step(), finish({ id: 1 })])).size).toBe(4);
  });

  test('does not care about the order of fields or the line feed', () => {
    const text = JSON.stringify({ action: 'accept', ...about });
    expect(readText(`${text}\n`).eventKey).toBe(finish().eventKey);
  });

  test('of strange values is that of the text', () => {
    for (const webhook of [finish({ transaction_id: [1] }), step({ created_at: {} })]) {
      expect(webhook.eventKey).toMatch(/^body:/);
    }
  });
});

describe('whatever comes', () => {
  const field = fc.oneof(
    fc.constantFrom('id', 'transaction_id', 'customer_uid', 'action', 'type', 'message', 'created_at'),
    fc.string(),
  );
  const value = fc.oneof(
    fc.constantFrom('accept', 'reject', 'review', 'event', 'error', '2026-01-01T10:00:00Z', CHALLENGE_ID),
    fc.jsonValue(),
  );

  test('is read without an error, always the same, and as nothing the database would not take', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.dictionary(field, value).map((body) => JSON.stringify(body)),
    );
    fc.assert(
      fc.property(text, (input) => {
        const webhook = readText(input);
        expect(readText(input)).toEqual(webhook);
        expect(webhook.eventKey).toMatch(/^[a-z_]+:[0-9a-f]{64}$/);
        const { report, sessionId, kind } = webhook;
        if (report) expect(report.word).toMatch(/^[\x20-\x7e]{1,200}$/);
        if (sessionId !== undefined) expect(sessionId).toMatch(/^\d{1,20}$/);
        if (report?.decision) expect(['finished', 'status_changed']).toContain(kind);
        if (report?.progress) expect(kind).toBe('progress');
      }),
      { numRuns: 2_000 },
    );
  });

  test('is opened or refused in the one way', () => {
    const header = fc.oneof(fc.string(), fc.stringMatching(/^v0,\d{1,12},[0-9a-f]{64}$/));
    fc.assert(
      fc.property(header, fc.uint8Array(), (signature, bytes) => {
        const request = { headers: { 'x-berbix-signature': signature }, body: Buffer.from(bytes) };
        expect(() => berbix.openWebhook(request, { finished_secret: 'x' }, new Date(0))).toThrow(
          expect.objectContaining({ code: 'unauthorized', message: 'Invalid signature' }),
        );
      }),
    );
  });
});
