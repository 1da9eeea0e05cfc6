import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'lossless-json';
import { berbix } from '../../src/providers/berbix.ts';
import { parseObject, sortableTime } from '../../src/providers/json.ts';
import type { Report, Webhook } from '../../src/providers/provider.ts';
import { OUTCOMES } from '../../src/simulators/berbix-outcomes.ts';
import { signatureHeader } from '../../src/simulators/berbix-webhooks.ts';
import type { Message } from '../../src/simulators/simulator.ts';
import { finished, SECRET, SIGNED_AT } from '../fixtures/berbix/vectors.ts';
import { RETURN_URL, startBerbix } from '../support/berbix.ts';
import type { Berbix } from '../support/berbix.ts';
import { startSink } from '../support/sink.ts';
import { until } from '../support/until.ts';

let vendor: Berbix;
let sink: Awaited<ReturnType<typeof startSink>>;
beforeAll(async () => {
  vendor = await startBerbix();
  sink = await startSink();
  vendor.sendWebhooksTo(sink.url);
});
afterEach(() => {
  vendor.behave();
  sink.received.length = 0;
  sink.answerWith((response) => response.end('ok'));
});
afterAll(async () => {
  await vendor.close();
  await sink.close();
});

/** Waits until so many webhooks about this transaction have been answered. */
function arrived(id: string, count: number) {
  return until(
    () => vendor.deliveries.filter(({ body }) => body.includes(id)).length === count,
    `${count} webhooks about ${id}`,
  );
}

/** What Countersign makes of messages; throws where one is not authentic. */
function readAll(messages: readonly Message[]): Webhook[] {
  return messages.map(({ body, headers }) => {
    const request = { headers: headers(), body: Buffer.from(body) };
    return berbix.readWebhook(berbix.openWebhook(request, vendor.settings, new Date()));
  });
}

/** The newest decision wins; at the same rank the conclusive one. */
function resultOf(webhooks: readonly Webhook[]): string {
  const reports = webhooks.map(({ report }) => report).filter((one): one is Report => one !== undefined);
  const ranked = reports.filter(({ decidedAt }) => decidedAt !== undefined);
  const latest = ranked.toSorted((a, b) => String(a.decidedAt).localeCompare(String(b.decidedAt))).at(-1);
  return latest?.decision?.to ?? 'in-progress';
}

describe('the hosted page', () => {
  test('has a button an outcome, and leads the browser back while the webhooks go out', async () => {
    const { session } = await vendor.begin();
    const page = await (await fetch(session.url)).text();
    for (const outcome of Object.keys(OUTCOMES)) expect(page).toContain(`value="${outcome}"`);
    const body = new URLSearchParams({ decision: 'accept' });
    const back = await fetch(session.url, { method: 'POST', body, redirect: 'manual' });
    expect({ status: back.status, location: back.headers.get('location') }).toEqual({
      status: 303,
      location: RETURN_URL,
    });
    await arrived(session.id, 12);
  });

  test('thanks the person where there is no way back', async () => {
    await vendor.create({ hosted_options: {} });
    const body = new URLSearchParams({ decision: 'given_up' });
    const thanks = await fetch(vendor.sessions.at(-1)!.url, { method: 'POST', body });
    expect(await thanks.text()).toContain('Thank you');
    await arrived(vendor.sessions.at(-1)!.id, 5);
  });

  test('is not there for another token or another outcome', async () => {
    const { session } = await vendor.begin();
    expect((await fetch(`${vendor.url}/hosted/x`)).status).toBe(404);
    const body = new URLSearchParams({ decision: 'approved' });
    expect((await fetch(session.url, { method: 'POST', body })).status).toBe(400);
    expect(() => vendor.play(session, 'toString')).toThrow('cannot play');
    expect(() => vendor.play({ ...session, id: '1' }, 'accept')).toThrow('cannot play');
  });
});

describe('webhooks', () => {
  test.each(Object.entries(OUTCOMES))(
    'of %s make the challenge %s, also in reverse',
    async (outcome, status) => {
      const { session } = await vendor.begin();
      const webhooks = readAll(vendor.play(session, outcome));
      expect(webhooks.every(({ sessionId }) => sessionId === session.id)).toBe(true);
      expect(resultOf(webhooks)).toBe(status);
      expect(resultOf(webhooks.toReversed())).toBe(status);
      expect(new Set(webhooks.map(({ eventKey }) => eventKey)).size).toBe(webhooks.length);
    },
  );

  test.each([
    ['review', ['finished review']],
    ['review_then_accept', ['finished review', 'status_changed accept']],
    ['review_then_reject', ['finished review', 'status_changed reject']],
    ['custom_then_accept', ['finished escalate-to-fraud-team', 'status_changed accept']],
    ['given_up', []],
  ])('of %s decide %j after the progress', async (outcome, expected) => {
    const { session } = await vendor.begin();
    const webhooks = readAll(vendor.play(session, outcome));
    const deciding = webhooks.findIndex(({ kind }) => kind !== 'progress');
    const rest = deciding < 0 ? [] : webhooks.slice(deciding);
    expect(rest.map(({ kind, report }) => `${kind} ${report?.word}`)).toEqual(expected);
  });

  test('of progress have nine digits that tell their order, the end stamped before the last step', async () => {
    const { session } = await vendor.begin();
    const told = readAll(vendor.play(session, 'retried_photos')).flatMap(
      ({ report }) => report?.progress ?? [],
    );
    for (const { at } of told) expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    const sent = told.map(({ message }) => message);
    expect(sent.slice(-2)).toEqual(['UPLOAD_SELFIE_FINISH', 'SESSION_FINISHED']);
    const stamped = told.toSorted((a, b) => (sortableTime(a.at)! < sortableTime(b.at)! ? -1 : 1));
    expect(stamped.map(({ message }) => message)).toEqual([
      ...sent.slice(0, -2),
      'SESSION_FINISHED',
      'UPLOAD_SELFIE_FINISH',
    ]);
    expect(told.filter(({ type }) => type === 'error').map(({ message }) => message)).toEqual([
      'text_unreadable',
      'no_face_on_id_detected',
    ]);
    expect(new Set(told.map(({ at }) => at)).size).toBe(told.length);
  });

  test('end with a line feed, and are signed when they are sent, each try anew', async () => {
    const { session } = await vendor.begin();
    const [message] = vendor.play(session, 'accept');
    expect(String(message?.body).endsWith('}\n')).toBe(true);
    const first = message?.headers()['x-berbix-signature'];
    vendor.putForward(60_000);
    const then = message?.headers()['x-berbix-signature'];
    vendor.putForward(-60_000);
    const [time, later] = [first, then].map((header) => Number(header?.split(',')[1]));
    expect(Number(later) - Number(time)).toBeGreaterThanOrEqual(60);
    expect(then?.split(',')[2]).not.toBe(first?.split(',')[2]);
  });

  test('are signed as the known ones are', () => {
    expect(signatureHeader(SECRET, finished.body, new Date(SIGNED_AT * 1_000))).toBe(
      `v0,${SIGNED_AT},${finished.signature}`,
    );
  });

  test('arrive in their order with their exact bytes', async () => {
    const { session } = await vendor.begin();
    const messages = vendor.play(session, 'review_then_accept');
    expect(await vendor.send(messages)).toEqual(messages.map(() => 200));
    expect(sink.received.map(({ body }) => body.toString())).toEqual(
      messages.map(({ body }) => String(body)),
    );
    const { user_id, transaction_id } = parse(sink.received.at(-2)!.body.toString()) as Record<
      string,
      unknown
    >;
    expect([String(user_id), String(transaction_id)]).toEqual([session.id, session.id]);
  });

  test.each([200, 201, 204])('are received when they are answered %d', async (status) => {
    sink.answerWith((response) => response.writeHead(status).end());
    const { session } = await vendor.begin();
    expect(await vendor.send(vendor.play(session, 'given_up').slice(0, 1))).toEqual([status]);
    expect(sink.received).toHaveLength(1);
  });

  test.each([400, 401, 302, 500])('are tried twice more when they are answered %d', async (status) => {
    sink.answerWith((response) => response.writeHead(status).end());
    const { session } = await vendor.begin();
    expect(await vendor.send(vendor.play(session, 'given_up').slice(0, 1))).toEqual([status]);
    expect(sink.received).toHaveLength(3);
    expect(vendor.deliveries.at(-1)).toMatchObject({ status, tries: 3 });
  });

  test('are not sent by a hook that is not there', async () => {
    const bare = await startBerbix({ settings: { status_secret: '', progress_secret: '' } });
    const { session } = await bare.begin();
    const sent = bare.play(session, 'review_then_accept').map(({ body: text }) => parseObject(String(text)));
    expect(sent).toEqual([expect.objectContaining({ action: 'review' })]);
    await bare.close();
  });

  test('of the Test button are of their hook’s kind and decide nothing', () => {
    const kinds = ['finished', 'status_changed', 'progress'] as const;
    const read = readAll(kinds.map(vendor.sample));
    expect(read.map(({ kind }) => kind)).toEqual(kinds);
    expect(resultOf(read)).toBe('in-progress');
  });
});

test('settings of an earlier run are taken over', async () => {
  const again = await startBerbix({ settings: vendor.settings });
  expect({ ...again.settings, base_url: '' }).toEqual({ ...vendor.settings, base_url: '' });
  expect(() => berbix.checkSettings?.(again.settings, 'test')).not.toThrow();
  await again.close();
});
