import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { veriff as provider } from '../../src/providers/veriff.ts';
import { PERSONAL } from '../../src/simulators/veriff-bodies.ts';
import { startVeriff } from '../../src/simulators/veriff.ts';
import { startSink } from '../support/sink.ts';
import { until } from '../support/until.ts';
import { clientOf, RETURN_URL } from '../support/veriff-client.ts';
import type { VeriffClient } from '../support/veriff-client.ts';

let veriff: Awaited<ReturnType<typeof startVeriff>>;
let client: VeriffClient;
let sink: Awaited<ReturnType<typeof startSink>>;
const said: string[] = [];
beforeEach(async () => {
  said.length = 0;
  [veriff, sink] = await Promise.all([startVeriff({ tell: (line) => said.push(line) }), startSink()]);
  client = clientOf(veriff);
  veriff.sendWebhooksTo(sink.url);
});
afterEach(async () => {
  await veriff.close();
  await sink.close();
});

/** What our own provider makes of the webhooks that arrived. */
const received = () =>
  sink.received.map(({ headers, body }) =>
    provider.readWebhook(provider.openWebhook({ headers, body }, veriff.settings, new Date())),
  );

describe('each way a run can go', () => {
  const word = (session: { id: string }) =>
    client
      .api('GET', `/sessions/${session.id}/decision`, session.id)
      .then(({ json }) => json.verification?.status);

  test.each([
    ['approved', ['started', 'submitted', 'approved'], 'approved'],
    ['declined', ['started', 'submitted', 'declined'], 'declined'],
    [
      'resubmission_then_approved',
      ['started', 'submitted', 'resubmission_requested', 'started', 'submitted', 'approved'],
      'approved',
    ],
    ['review_then_declined', ['started', 'submitted', 'review', 'declined'], 'declined'],
    ['expired', ['expired'], 'expired'],
    ['abandoned', ['started', 'abandoned'], 'abandoned'],
    ['started', ['started'], undefined],
    ['full_auto_approved', ['started', 'submitted', 'approved'], undefined],
    ['watchlist_hit', ['started', 'submitted', 'possible_match', 'approved'], 'approved'],
  ] as const)('%s', async (outcome, words, decided) => {
    const { session } = await client.open();
    await veriff.send(veriff.play(session, outcome));
    expect(received().map(({ report }) => report?.word)).toEqual(words);
    expect(await word(session)).toBe(decided);
  });

  test('every one ends as it says, and our provider recognises all of it', async () => {
    const kinds = new Set<string>();
    for (const [outcome, becomes] of Object.entries(veriff.outcomes)) {
      const { session } = await client.open();
      sink.received.length = 0;
      const sent = veriff.play(session, outcome);
      expect(sink.received).toHaveLength(0);
      await veriff.send(sent);
      const webhooks = received();
      expect(webhooks).toHaveLength(sent.length);
      expect(new Set(webhooks.map(({ eventKey }) => eventKey)).size).toBe(sent.length);
      const conclusion = webhooks.map(({ report }) => report?.decision).find(Boolean);
      expect([outcome, conclusion?.to ?? 'in-progress']).toEqual([outcome, becomes]);
      for (const { kind, sessionId, attemptId } of webhooks) {
        kinds.add(kind);
        if (kind === 'unknown') continue;
        expect(session.attempts.map(({ id }) => id)).toContain(attemptId);
        expect(sessionId).toBe(
          outcome.endsWith('older_form') && kind.startsWith('watch') ? undefined : session.id,
        );
      }
    }
    expect([...kinds].sort()).toEqual([
      ...['curp_registry', 'decision', 'event', 'full_auto', 'ine_curp_registry', 'ine_registry'],
      ...['unknown', 'user_status', 'watchlist_screening'],
    ]);
  });

  test('a resubmission is a new attempt of the same session', async () => {
    const { session } = await client.open();
    veriff.play(session, 'resubmission_then_approved');
    const { json } = await client.api('GET', `/sessions/${session.id}/attempts`, session.id);
    expect(json.verifications).toMatchObject([
      { id: session.attemptId, status: 'approved' },
      { status: 'resubmission_requested' },
    ]);
    expect(session.verification).toMatchObject({ attemptId: session.attemptId, status: 'approved' });
  });

  test('decisions of one run have times in their order', async () => {
    const { session } = await client.open();
    await veriff.send(veriff.play(session, 'review_then_approved'));
    const [review = '', approved = ''] = received().flatMap(({ report }) => report?.decidedAt ?? []);
    expect(review < approved).toBe(true);
  });

  test('a watchlist hit can be read back', async () => {
    const { session } = await client.open();
    const read = async () =>
      (await client.api('GET', `/sessions/${session.id}/watchlist-screening`, session.id)).json.data;
    expect(await read()).toBeNull();
    veriff.play(session, 'watchlist_hit');
    expect(await read()).toMatchObject({
      sessionId: session.id,
      matchStatus: 'possible_match',
      totalHits: 1,
    });
  });

  test('bodies carry a made-up person, as real ones do', async () => {
    const { session } = await client.open();
    for (const outcome of ['approved', 'full_auto_approved', 'watchlist_hit', 'registries']) {
      const bodies = veriff.play(session, outcome).map(({ body }) => body.toString());
      expect(PERSONAL.some((value) => bodies.join('').includes(value))).toBe(true);
    }
  });

  test('there is no other', async () => {
    const { session } = await client.open();
    expect(() => veriff.play(session, 'toString')).toThrow('Veriff cannot play toString');
    expect(() => veriff.play({ ...session, id: 'another' }, 'approved')).toThrow('cannot play');
  });
});

describe('the hosted page', () => {
  const press = (url: string, decision: string) =>
    fetch(url, { method: 'POST', body: new URLSearchParams({ decision }), redirect: 'manual' });

  test('has a button for each way, sends the webhooks and leads the browser back', async () => {
    const { session } = await client.open();
    const text = await (await fetch(session.url)).text();
    for (const outcome of Object.keys(veriff.outcomes)) expect(text).toContain(`value="${outcome}"`);
    const back = await press(session.url, 'declined');
    expect([back.status, back.headers.get('location')]).toEqual([303, RETURN_URL]);
    await until(() => sink.received.length === 3, 'three webhooks');
    expect(received().at(-1)?.report?.decision).toEqual({ to: 'failed', reason: 'declined' });
    expect(said).toContain('webhook decision declined → 200');
    expect(said).toContain('POST /v1/sessions → 201');
  });

  test('stays where it was told of no address to go back to', async () => {
    const body = JSON.stringify({ verification: {} });
    await client.api('POST', '/sessions', body, body);
    const answer = await press(veriff.sessions.at(-1)?.url ?? '', 'approved');
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('Thank you')]);
  });

  test('refuses a way that is none', async () => {
    const { session } = await client.open();
    for (const decision of ['', 'maybe', 'constructor'])
      expect((await press(session.url, decision)).status).toBe(400);
    expect(veriff.deliveries).toHaveLength(0);
  });
});

describe('webhooks on their way', () => {
  test.each([201, 204, 302, 401, 500])(
    'a webhook answered %i is sent again until it is answered 200',
    async (status) => {
      const { session } = await client.open();
      veriff.behave({ retryMs: [10, 20] });
      sink.answerWith((response, _, count) => response.writeHead(count < 3 ? status : 200).end());
      expect(await veriff.send(veriff.play(session, 'started'))).toEqual([200]);
      expect(veriff.deliveries).toMatchObject([{ status: 200, tries: 3 }]);
      expect(new Set(sink.received.map(({ body }) => body.toString())).size).toBe(1);
    },
  );

  test('by itself it tries again after a failure', async () => {
    const { session } = await client.open();
    sink.answerWith((response, _, count) => response.writeHead(count === 1 ? 503 : 200).end());
    expect(await veriff.send(veriff.play(session, 'started'))).toEqual([200]);
    expect(veriff.deliveries).toMatchObject([{ tries: 2 }]);
  });

  test('what lost ones would have told, the API tells', async () => {
    const { session } = await client.open();
    veriff.behave({ lose: 1 });
    expect(await veriff.send(veriff.play(session, 'approved'))).toEqual([]);
    const { json } = await client.api('GET', `/sessions/${session.id}/decision`, session.id);
    expect(json.verification).toMatchObject({ status: 'approved' });
  });

  test('closing waits for one under way, and nobody is answered afterwards', async () => {
    const { session } = await client.open();
    sink.answerWith((response) => void setTimeout(() => response.end(), 100));
    const sent = veriff.send(veriff.play(session, 'started'));
    await veriff.close();
    expect(await sent).toEqual([200]);
    await expect(fetch(session.url)).rejects.toThrow('fetch failed');
  });
});
