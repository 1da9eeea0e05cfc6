import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createPerson } from '../support/person.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';
import { MAX_REFUSED, MAX_WRITTEN } from '../../src/verify/guesses.ts';

/** What a Chromium sends with a form that somebody submits by a click, and what it leaves out when a script does. */
const CLICKED = {
  ...{ 'Sec-CH-UA': '"Chromium";v="130"', 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate' },
  ...{ 'Sec-Fetch-Dest': 'document', 'Sec-Fetch-User': '?1' },
};
const { 'Sec-Fetch-User': _clicked, ...SCRIPTED } = CLICKED;
const FOREIGN = { ...CLICKED, 'Sec-Fetch-Site': 'cross-site' };

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ env: { TRUST_PROXY: '1' } });
});
afterAll(() => server.close());

const tokenOf = (created: Created) => new URL(created.verification_url).searchParams.get('token') ?? '';
/** Every test comes from an address of its own, so that none uses up the tries of another. */
let addresses = 0;
const newAddress = () => ({ 'X-Forwarded-For': `198.51.100.${(addresses += 1)}` });

/** All that a request could have changed. */
async function stateOf({ challenge_id }: Created) {
  const { status, incident, target_response } = await server.read(challenge_id);
  return { status, incident, target_response };
}

async function refusals({ challenge_id }: Created): Promise<unknown[]> {
  const rows = await server.db
    .selectFrom('audit_entries')
    .select(['action', 'detail'])
    .where('challenge_id', '=', challenge_id)
    .where('action', '=', 'request_refused')
    .orderBy('id')
    .execute();
  return rows.map(({ detail }) => (detail as { reason: string }).reason);
}

/** Every form there is, in order of the steps, with what a person would send. */
const FORMS = [
  { step: 'start', path: (id: string) => `/challenge/start/${id}`, fields: { go: 'yes' }, byLink: true },
  {
    ...{ step: 'start/report', path: (id: string) => `/challenge/start/${id}/report`, byLink: true },
    fields: { go: 'yes' },
  },
  { step: 'answer', path: (id: string) => `/challenge/${id}/answer`, fields: { go: 'yes', response: 'x' } },
  { step: 'report', path: (id: string) => `/challenge/${id}/report`, fields: { go: 'yes' } },
  { step: 'retry', path: (id: string) => `/challenge/${id}/retry`, fields: { go: 'yes' } },
  { step: 'sandbox', path: (id: string) => `/challenge/${id}/sandbox`, fields: { decision: 'approve' } },
];

describe.each(FORMS)('the form at $step', ({ path, fields, byLink }) => {
  /** A challenge that is as far as this form, and a way to send it. */
  async function arrive() {
    const created = await server.create();
    const person = createPerson(server);
    const address = newAddress();
    if (!byLink) await person.press(created).set(address).expect(303);
    const send = (headers: object, sent: object = fields) =>
      person.agent
        .post(path(created.challenge_id))
        .type('form')
        .set({ ...address, ...headers })
        .send({ token: tokenOf(created), ...sent });
    return { created, send, before: await stateOf(created) };
  }

  test('is refused when another site sends it', async () => {
    const { created, send, before } = await arrive();
    const answer = await send(FOREIGN).expect(403);
    expect(answer.text).toContain('<h1>');
    expect([await stateOf(created), await refusals(created)]).toEqual([before, ['foreign_site']]);
  });

  test('is refused when nobody pressed its button', async () => {
    const { created, send, before } = await arrive();
    await send({}, {}).expect(400);
    await send(SCRIPTED).expect(400);
    expect([await stateOf(created), await refusals(created)]).toEqual([before, ['no_click', 'no_click']]);
  });

  test('is taken after a click', async () => {
    const { created, send } = await arrive();
    expect((await send(CLICKED)).status).toBeLessThan(400);
    expect(await refusals(created)).toEqual([]);
  });
});

describe('a link', () => {
  test('may be opened by scanners as often as they like, by GET and HEAD', async () => {
    const created = await server.create();
    const path = new URL(created.verification_url).pathname;
    const query = { token: tokenOf(created) };
    for (const at of [path, `${path}/report`]) {
      await server.request.get(at).query(query).expect(200);
      await server.request.head(at).query(query).expect(200);
    }
    await server.request.put(path).query(query).expect(405);
    expect(await stateOf(created)).toMatchObject({ status: 'initiated' });
    expect(await refusals(created)).toEqual([]);
  });

  test('with a wrong token is answered like one that does not exist, and written down', async () => {
    const created = await server.create();
    const address = newAddress();
    const ask = (id: string) =>
      server.request.get(`/challenge/start/${id}`).set(address).query({ token: 'guess' }).expect(404);
    const [wrong, unknown] = [
      await ask(created.challenge_id),
      await ask('00000000-0000-4000-8000-000000000000'),
    ];
    const without = (text: string) => text.replaceAll(/[0-9a-f-]{36}/g, '');
    expect(without(wrong.text)).toBe(without(unknown.text));
    expect(await refusals(created)).toEqual(['wrong_token']);
  });

  test('cannot be guessed at for long, and the trail does not fill up', async () => {
    const created = await server.create();
    const address = newAddress();
    const ask = (token: string, from = address) =>
      server.request.get(`/challenge/start/${created.challenge_id}`).set(from).query({ token });
    const other = await server.create();
    for (let guess = 0; guess < MAX_REFUSED; guess++) await ask(`guess ${guess}`).expect(404);
    const refused = await ask('one more').expect(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60);
    await ask(tokenOf(created)).expect(429);
    await ask(tokenOf(created), newAddress()).expect(200);
    // Whoever shares the address has no trouble with other links.
    await server.request
      .get(new URL(other.verification_url).pathname)
      .set(address)
      .query({ token: tokenOf(other) })
      .expect(200);
    await ask('from elsewhere', newAddress()).expect(404);
    expect(await refusals(created)).toHaveLength(MAX_WRITTEN);
  });
});

test('pictures on other pages lock nobody out', async () => {
  const created = await server.create();
  const from = { ...newAddress(), 'Sec-Fetch-Dest': 'image', 'Sec-Fetch-Site': 'cross-site' };
  const path = `/challenge/start/${created.challenge_id}`;
  for (let image = 0; image <= MAX_REFUSED; image++)
    await server.request.get(path).set(from).query({ token: 'x' }).expect(404);
  const { 'X-Forwarded-For': address } = from;
  await server.request
    .get(path)
    .set('X-Forwarded-For', address)
    .query({ token: tokenOf(created) })
    .expect(200);
});

describe('an incident', () => {
  test('can be reported by the link alone, before anybody has started', async () => {
    const created = await server.create();
    const person = createPerson(server);
    const answer = await person.reportByLink(created, 'I asked nobody').expect(303);
    const page = answer.headers.location ?? '';
    for (const _load of ['first', 'again'])
      expect((await person.agent.get(page).expect(200)).text).toContain('<h1>Incident reported</h1>');
    // Whoever sends the form twice reads the same.
    await person.reportByLink(created).expect(303).expect('Location', page);
    expect(await server.read(created.challenge_id)).toMatchObject({
      ...{ status: 'failed', failure_reason: 'incident_reported' },
      incident: { comment: 'I asked nobody' },
    });
  });

  test('can be reported by the browser that started, at every step', async () => {
    const created = await server.create();
    const person = createPerson(server);
    await person.press(created).expect(303);
    await person.agent.get(`/challenge/${created.challenge_id}/report`).expect(200);
    await person.report(created).expect(303).expect('Location', 'result');
    expect(await stateOf(created)).toMatchObject({ status: 'failed', incident: { comment: null } });
  });

  test('is disputed when somebody else has verified in the meantime, by the link too', async () => {
    const created = await server.create();
    const person = createPerson(server);
    await person.start(created).expect(303);
    await person.decide(created, 'approve').expect(303);
    expect((await person.open(created).expect(410)).text).toContain('/report?');
    await createPerson(server).reportByLink(created, 'not me').expect(303);
    expect(await server.read(created.challenge_id)).toMatchObject({
      ...{ status: 'verified', disputed: true, valid_until: null, incident: { comment: 'not me' } },
    });
  });

  test('cannot be reported by the link once it has ended otherwise', async () => {
    const created = await server.create();
    const person = createPerson(server);
    await person.start(created).expect(303);
    await person.decide(created, 'decline').expect(303);
    const { text } = await createPerson(server).reportByLink(created).expect(410);
    expect(text).toContain('<h1 class="bad">Identity not verified</h1>');
    expect(await server.read(created.challenge_id)).toMatchObject({
      failure_reason: 'declined',
      incident: null,
    });
  });

  test.each([
    ['x'.repeat(501), 'x'.repeat(500)],
    ['😴'.repeat(501), '😴'.repeat(500)],
    ['x'.repeat(9_000), 'x'.repeat(500)],
    ['two\r\nlines\u202E of\u200B it\u0000', 'two lines of it'],
  ])('is never held up by its words: %j', async (written, comment) => {
    const byLink = await server.create();
    await createPerson(server).reportByLink(byLink, written).expect(303);
    const byBrowser = await server.create();
    const person = createPerson(server);
    await person.press(byBrowser).expect(303);
    await person.report(byBrowser, written).expect(303);
    for (const created of [byLink, byBrowser])
      expect(await stateOf(created)).toMatchObject({ status: 'failed', incident: { comment } });
  });
});

describe('whoever opens the link of what was confirmed', () => {
  const confirmed = async () => {
    const created = await server.create({ target_user_email: 'grace@example.com' });
    const person = createPerson(server);
    await person.start(created).expect(303);
    await person.decide(created, 'approve').expect(303);
    return { created, person };
  };

  test('in another browser reads what was done in their name, and can report it there', async () => {
    const { created } = await confirmed();
    const victim = createPerson(server);
    for (const look of [() => victim.open(created), () => victim.press(created)]) {
      const { text } = await look().expect(410);
      expect(text).toContain('<h1>This was confirmed already</h1>');
      expect(text).toMatch(
        /On [^<]+ UTC somebody confirmed it in another browser, by proving to be grace@example\.com\./,
      );
      expect(text).not.toContain('Thank you');
      expect(text).toMatch(/<a href="[^"]+\/report\?token=[^"]+" class="action secondary">/);
    }
    await victim.reportByLink(created).expect(303);
    expect((await victim.open(created).expect(410)).text).toContain('<h1>Incident reported</h1>');
  });

  test('in the browser that did it is thanked as before', async () => {
    const { created, person } = await confirmed();
    expect((await person.open(created).expect(410)).text).toContain('Thank you');
  });
});

test('a double click is one browser’s, in whatever order the server comes to it', async () => {
  const created = await server.create();
  const person = createPerson(server);
  await person.open(created).expect(200);
  await Promise.all([1, 2, 3, 4].map(() => person.press(created).expect(303)));
  await person.tell(created).expect(204);
  await person.answer(created).expect(303);
});

describe('a browser that takes over', () => {
  test('inherits nothing of what was said in the other one', async () => {
    const created = await server.create();
    const [first, second] = [createPerson(server), createPerson(server)];
    await first.press(created).expect(303);
    await first.tell(created).expect(204);
    await first.answer(created, 'Please enrol my new phone').expect(303);
    await second.press(created).expect(303);
    expect(await server.read(created.challenge_id)).toMatchObject({
      ...{ target_response: null, device_fingerprint: null, device_fingerprint_status: 'pending' },
    });
  });

  test('keeps its own when it only presses Continue again, and its name', async () => {
    const created = await server.create();
    const person = createPerson(server);
    await person.press(created).expect(303);
    await person.tell(created).expect(204);
    await person.answer(created, 'I travel').expect(303);
    await person.press(created).expect(303);
    expect(await server.read(created.challenge_id)).toMatchObject({
      ...{ target_response: 'I travel', device_fingerprint_status: 'collected' },
    });
    const rows = await server.db
      .selectFrom('audit_entries')
      .select('detail')
      .where('challenge_id', '=', created.challenge_id)
      .where('action', '=', 'in-progress')
      .execute();
    const names = rows.map(({ detail }) => (detail as { browser: string }).browser);
    expect([names.length, new Set(names).size]).toEqual([2, 1]);
  });
});

test('nothing about a visitor is written to a challenge that was erased', async () => {
  const rights = { scopes: ['challenges:create', 'challenges:read', 'challenges:erase'], own_only: false };
  const { apiKey } = await server.integration({ rights });
  const created = await server.create({}, apiKey);
  const path = `/api/v1/challenges/${created.challenge_id}`;
  for (const step of ['cancel', 'erase'])
    await server.request.post(`${path}/${step}`).set('X-API-Key', apiKey);
  await server.request.get(`/challenge/start/${created.challenge_id}`).query({ token: 'x' }).expect(404);
  expect(await refusals(created)).toEqual(['wrong_token']);
  const details = await server.db
    .selectFrom('audit_entries')
    .select('detail')
    .where('challenge_id', '=', created.challenge_id)
    .execute();
  expect(JSON.stringify(details)).not.toContain('"ip"');
});

describe('what the person adds', () => {
  test('is kept, may be changed, and reaches whoever asked', async () => {
    const created = await server.create();
    const person = createPerson(server);
    await person.press(created).expect(303);
    await person.answer(created, 'I travel\r\nwith a new <b>laptop</b>').expect(303);
    expect(await stateOf(created)).toMatchObject({ target_response: 'I travel\nwith a new <b>laptop</b>' });
    const page = await person.agent.get(`/challenge/${created.challenge_id}/answer`).expect(200);
    expect(page.text).toContain('&lt;b>laptop&lt;/b>');
    await person.answer(created, '').expect(303);
    expect(await stateOf(created)).toMatchObject({ target_response: null });
  });

  test.each([['x'.repeat(501)], ['😴'.repeat(501)]])(
    'is asked for again when it is too long: %j',
    async (text) => {
      const created = await server.create();
      const person = createPerson(server);
      await person.press(created).expect(303);
      const page = await person.answer(created, text).expect(400);
      expect(page.text).toContain('aria-invalid="true"');
      expect(page.text).toContain(text);
      expect(await stateOf(created)).toMatchObject({ target_response: null });
    },
  );

  test.each([
    ['\u202Egnp.exe\u0000', 'gnp.exe'],
    ['one\r\ntwo\u2028three\tfour', 'one\ntwo\nthree\tfour'],
    ['😴'.repeat(500), '😴'.repeat(500)],
    ['\u200B\uFEFF\u2066', null],
  ])('is kept without what nobody can see: %j', async (text, kept) => {
    const created = await server.create();
    const person = createPerson(server);
    await person.press(created).expect(303);
    await person.answer(created, text).expect(303);
    expect(await stateOf(created)).toMatchObject({ target_response: kept });
  });

  test('is not taken from a browser that another one replaced', async () => {
    const created = await server.create();
    const [first, second] = [createPerson(server), createPerson(server)];
    await first.press(created).expect(303);
    await second.press(created).expect(303);
    expect((await first.answer(created, 'mine').expect(403)).text).toContain('<h1>');
    expect(await stateOf(created)).toMatchObject({ target_response: null });
  });
});
