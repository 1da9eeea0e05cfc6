import { createDecipheriv, generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import supertest from 'supertest';
import { createOutbound } from '../../src/kernel/outbound.ts';
import { linkFor, parameterOf } from '../../src/providers/passbase-link.ts';
import { passbase } from '../../src/providers/passbase.ts';
import type { Settings } from '../../src/providers/provider.ts';
import { PERSONAL } from '../../src/simulators/passbase-identities.ts';
import { startPassbase } from '../../src/simulators/passbase.ts';
import { CHALLENGE_ID } from '../fixtures/passbase/vectors.ts';
import { startSink } from '../support/sink.ts';
import { until } from '../support/until.ts';

type Passbase = Awaited<ReturnType<typeof startPassbase>>;

const outbound = createOutbound({ allowedCidrs: ['127.0.0.0/8'], userAgent: 'test' });
const http = { outbound, reach: { http: true, loopback: true } };
const since = new Date(Date.now() - 60_000);

let simulator: Passbase;
let sink: Awaited<ReturnType<typeof startSink>>;
beforeAll(async () => {
  simulator = await startPassbase();
  sink = await startSink();
  simulator.sendWebhooksTo(sink.url);
});
beforeEach(() => {
  sink.received.length = 0;
});
afterEach(() => {
  simulator.behave();
  sink.answerWith((response) => response.end('ok'));
});
afterAll(async () => {
  await simulator.close();
  await sink.close();
  await outbound.close();
});

const browser = () => supertest(simulator.url);
const pathOf = (url: string) => url.slice(new URL(url).origin.length);
const newChallenge = () => randomUUID();
/** Opens the link of a challenge, as the person does. */
async function begin(challengeId = newChallenge()) {
  await browser()
    .get(pathOf(linkFor(challengeId, simulator.settings)))
    .expect(303);
  return simulator.sessionOf(challengeId);
}
const fetchReport = (sessionId: string, settings: Settings = simulator.settings) =>
  passbase.fetchReport({ sessionId, token: undefined }, settings, http);
const find = (...challengeIds: string[]) =>
  passbase.findSessions?.(new Set(challengeIds), since, simulator.settings, http);
const opened = (body: string | Buffer, settings: Settings = simulator.settings) =>
  JSON.parse(passbase.openWebhook({ headers: {}, body: Buffer.from(body) }, settings, new Date())) as Record<
    string,
    unknown
  >;
/** What Countersign makes of a run played to this outcome. */
async function playedOut(outcome: string) {
  const session = await begin();
  const messages = simulator.play(session, outcome);
  return { session, hints: messages.map(({ body }) => opened(body)), report: await fetchReport(session.id) };
}

test('its settings are ones that Countersign takes', () => {
  expect(() => passbase.checkSettings?.(simulator.settings, 'test')).not.toThrow();
  expect(Object.keys(simulator.settings).sort()).toEqual(Object.keys(passbase.fields).sort());
});

describe('opening a link', () => {
  test('begins a session that names the challenge, and leads to a page with a button for each outcome', async () => {
    const challengeId = newChallenge();
    const url = linkFor(challengeId, simulator.settings);
    expect(new URL(url).origin).toBe(simulator.url);
    const { headers } = await browser().get(pathOf(url)).expect(303);
    const session = await simulator.sessionOf(challengeId);
    expect(headers.location).toBe(session.url);
    const page = await browser().get(pathOf(session.url)).expect(200);
    for (const outcome of Object.keys(simulator.outcomes)) expect(page.text).toContain(`value="${outcome}"`);
    expect(page.text).toContain(challengeId);
    expect(await fetchReport(session.id)).toBeUndefined();
    simulator.play(session, 'pending');
    expect(await fetchReport(session.id)).toMatchObject({ word: 'pending', challengeId });
  });

  test('again begins another: a link may be used and handed on', async () => {
    const challengeId = newChallenge();
    const first = await begin(challengeId);
    const second = await begin(challengeId);
    expect(second.id).not.toBe(first.id);
  });

  test('without any content begins one of nobody’s challenge', async () => {
    await browser().get('/countersign').expect(303);
    await browser()
      .get(`/countersign?p=${parameterOf({ prefill_attributes: { country: 'de' } })}`)
      .expect(303);
    const [one, other] = simulator.sessions.slice(-2);
    expect([one?.challengeId, other?.challengeId]).toEqual([null, null]);
    simulator.play(one!, 'approved');
    expect(await fetchReport(one?.id ?? '')).toMatchObject({ word: 'approved', challengeId: null });
  });

  describe('is refused', () => {
    const content = JSON.stringify({ challenge_id: CHALLENGE_ID });
    const p = (metadata: unknown) => `?p=${parameterOf({ metadata })}`;
    const right = () => decodeURIComponent(linkFor(CHALLENGE_ID, simulator.settings).split('?p=')[1] ?? '');
    const otherKey = () => {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
      return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    };
    const changedMetadata = () => {
      const { metadata } = JSON.parse(Buffer.from(right(), 'base64').toString()) as { metadata: string };
      const bytes = Buffer.from(metadata, 'base64');
      bytes[20] = (bytes[20] ?? 0) ^ 1;
      return bytes.toString('base64');
    };

    test.each<[string, () => string]>([
      ['metadata in the clear', () => p({ challenge_id: CHALLENGE_ID })],
      ['metadata as text', () => p(content)],
      ['metadata that is only base64', () => p(Buffer.from(content).toString('base64'))],
      ['metadata as long as the key, made up', () => p(Buffer.alloc(256, 7).toString('base64'))],
      [
        'metadata of another key',
        () => pathOf(linkFor(CHALLENGE_ID, { ...simulator.settings, private_key: otherKey() })),
      ],
      ['metadata with one bit changed', () => p(changedMetadata())],
      ['content that is no JSON', () => `?p=${Buffer.from('{').toString('base64')}`],
      ['content that is a list', () => `?p=${parameterOf([])}`],
      ['no base64', () => '?p=%7B%7D'],
      ['base64 with a space for its plus', () => `?p=${encodeURIComponent(` ${right().slice(1)}`)}`],
      ['half', () => `?p=${encodeURIComponent(right().slice(0, -5))}`],
      ['nothing', () => '?p='],
    ])('with %s', async (_, path) => {
      const before = simulator.sessions.length;
      const from = path();
      await browser()
        .get(from.startsWith('?') ? `/countersign${from}` : from)
        .expect(400);
      expect(simulator.sessions).toHaveLength(before);
    });

    test('at another project', async () => {
      await browser()
        .get(pathOf(linkFor(CHALLENGE_ID, { ...simulator.settings, slug: 'another' })))
        .expect(404);
    });
  });
});

describe('the API', () => {
  test('is closed without the project’s key', async () => {
    const { id } = await begin();
    const path = `/verification/v2/identities`;
    await browser().get(path).expect(401);
    await browser().get(`${path}/${id}`).set('x-api-key', 'another').expect(401);
    const wrong = { ...simulator.settings, api_key: 'another' };
    await expect(fetchReport(id, wrong)).rejects.toThrow('Passbase answered 401');
  });

  test('knows nothing of an unknown identity', async () => {
    expect(await fetchReport(newChallenge())).toBeUndefined();
  });

  test('shows the person to Countersign, which passes nothing of them on', async () => {
    const { session, report } = await playedOut('approved');
    const { text } = await browser()
      .get(`/verification/v2/identities/${session.id}`)
      .set('x-api-key', simulator.settings.api_key);
    for (const word of PERSONAL) expect(text).toContain(word);
    for (const word of PERSONAL) expect(JSON.stringify(report)).not.toContain(word);
  });

  test('lists all identities page by page, newest first, with those of a challenge among them', async () => {
    const mine = await begin();
    simulator.play(mine, 'approved');
    await Promise.all(Array.from({ length: 210 }, () => browser().get('/countersign').expect(303)));
    const answer = await browser()
      .get('/verification/v2/identities?limit=1000')
      .set('x-api-key', simulator.settings.api_key);
    const { data, cursor } = answer.body as { data: { id: string }[]; cursor: { next: string } };
    expect(data).toHaveLength(100);
    expect(data[0]?.id).toBe(simulator.sessions.at(-1)?.id);
    expect(Buffer.from(cursor.next, 'base64').toString()).toMatch(/^id:\d+$/);

    const found = await find(mine.challengeId ?? '', newChallenge());
    expect(found).toEqual([{ sessionId: mine.id, report: await fetchReport(mine.id) }]);
  });

  test.each(['limit=0', 'limit=x', 'cursor=x'])('refuses to list with %s', async (query) => {
    await browser()
      .get(`/verification/v2/identities?${query}`)
      .set('x-api-key', simulator.settings.api_key)
      .expect(400);
  });

  test('tells of two identities of one challenge in the order of their creation', async () => {
    const challengeId = newChallenge();
    const [first, second] = [await begin(challengeId), await begin(challengeId)];
    simulator.play(second, 'approved');
    expect((await find(challengeId))?.map(({ sessionId }) => sessionId)).toEqual([second.id]);
    simulator.play(first, 'declined');
    expect((await find(challengeId))?.map(({ sessionId }) => sessionId).sort()).toEqual(
      [first.id, second.id].sort(),
    );
  });
});

describe('a run', () => {
  test.each([
    ['approved', ['COMPLETED pending', 'REVIEWED approved'], 'approved'],
    ['declined', ['COMPLETED pending', 'REVIEWED declined'], 'declined'],
    ['approved_at_once', ['COMPLETED approved'], 'approved'],
    ['declined_at_once', ['COMPLETED declined'], 'declined'],
    ['pending', ['COMPLETED pending'], 'pending'],
    ['watchlist_hit', ['COMPLETED approved', undefined], 'pending'],
    ['approved_despite_watchlist', ['COMPLETED approved', 'REVIEWED approved'], 'approved'],
  ])('%s is told of as %j, and the identity is %s', async (outcome, told, status) => {
    const { session, hints, report } = await playedOut(outcome);
    const said = hints.map(({ event, status: word }) =>
      event === 'WATCHLIST_MONITORING'
        ? undefined
        : `${String(event).slice('VERIFICATION_'.length)} ${String(word)}`,
    );
    expect(said).toEqual(told);
    expect(hints.every(({ key }) => key === session.id)).toBe(true);
    expect(report).toMatchObject({ word: status, challengeId: session.challengeId });
    const expected = simulator.outcomes[outcome as keyof typeof simulator.outcomes];
    expect(report?.decision?.to ?? 'in-progress').toBe(expected);
    expect(report?.signals).toEqual([
      { kind: 'watchlist', at: expect.any(String), facts: { clean: !outcome.includes('watchlist') } },
    ]);
  });

  test('goes on after it was handed in: it is then reviewed, once more if need be', async () => {
    const session = await begin();
    simulator.play(session, 'watchlist_hit');
    expect(await fetchReport(session.id)).toMatchObject({ decision: undefined });
    const reviewed = simulator.play(session, 'approved').map(({ body }) => opened(body));
    expect(reviewed).toMatchObject([{ event: 'VERIFICATION_REVIEWED', status: 'approved' }]);
    const again = simulator.play(session, 'declined_at_once').map(({ body }) => opened(body));
    expect(again).toMatchObject([{ event: 'VERIFICATION_REVIEWED', status: 'declined' }]);
    expect(await fetchReport(session.id)).toMatchObject({ word: 'declined' });
  });

  test('cannot go another way, nor that of a session it does not know', async () => {
    const session = await begin();
    expect(() => simulator.play(session, 'toString')).toThrow('cannot play');
    expect(() => simulator.play({ ...session, id: CHALLENGE_ID }, 'approved')).toThrow('cannot play');
  });

  test('is chosen on the page, and the webhooks follow', async () => {
    const session = await begin();
    await browser()
      .post(pathOf(session.url))
      .type('form')
      .send({ decision: 'declined' })
      .expect(200, /close this page/);
    const key = session.id;
    await until(() => sink.received.length === 2, 'both webhooks');
    expect(sink.received.map(({ body }) => opened(body).key)).toEqual([key, key]);
    await browser().post(pathOf(session.url)).type('form').send({ decision: 'maybe' }).expect(400);
    await browser().post('/identities/another').type('form').send({ decision: 'approved' }).expect(404);
  });
});

describe('webhooks', () => {
  test('go out encrypted as text, each with an IV of its own', async () => {
    const session = await begin();
    expect(await simulator.send(simulator.play(session, 'approved'))).toEqual([200, 200]);
    expect(sink.received).toHaveLength(2);
    const ivs = sink.received.map(({ headers, body }) => {
      expect(headers['content-type']).toBe('text/plain');
      expect(body.toString()).not.toContain(session.id);
      const bytes = Buffer.from(body.toString(), 'base64');
      const iv = bytes.subarray(0, 16);
      const decipher = createDecipheriv('aes-256-cbc', simulator.settings.webhook_secret, iv);
      const text = Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]).toString();
      expect(JSON.parse(text)).toMatchObject({ key: session.id });
      return iv.toString('hex');
    });
    expect(new Set(ivs).size).toBe(2);
  });

  test('are lost, doubled and turned round as told', async () => {
    const session = await begin();
    const messages = simulator.play(session, 'approved');
    simulator.behave({ lose: 1 });
    expect(await simulator.send(messages)).toEqual([]);
    simulator.behave({ copies: 2, reversed: true });
    expect(await simulator.send(messages)).toEqual([200, 200, 200, 200]);
    const events = sink.received.map(({ body }) => opened(body).event);
    expect(events.map((event) => String(event).slice('VERIFICATION_'.length))).toEqual([
      ...['REVIEWED', 'REVIEWED', 'COMPLETED', 'COMPLETED'],
    ]);
  });

  test('are tried again after anything but 200, a few times', async () => {
    const session = await begin();
    sink.answerWith((response, _, count) => response.writeHead(count < 3 ? 202 : 200).end());
    simulator.behave({ retryMs: [1, 1] });
    expect(await simulator.send(simulator.play(session, 'pending'))).toEqual([200]);
    expect(simulator.deliveries.at(-1)).toMatchObject({ status: 200, tries: 3 });
  });
});

test('takes over the settings of an earlier run, so that links and webhooks stay right', async () => {
  const { private_key, webhook_secret, api_key } = simulator.settings;
  const later = await startPassbase({ settings: { private_key, webhook_secret, api_key, slug: 'acme' } });
  expect(later.settings).toMatchObject({ private_key, webhook_secret, api_key, slug: 'acme' });
  const { pathname, search } = new URL(linkFor(CHALLENGE_ID, later.settings));
  await supertest(later.url)
    .get(pathname + search)
    .expect(303);
  const [message] = later.play(await later.sessionOf(CHALLENGE_ID), 'pending');
  expect(opened(message?.body ?? '')).toMatchObject({ event: 'VERIFICATION_COMPLETED' });
  await later.close();
});
