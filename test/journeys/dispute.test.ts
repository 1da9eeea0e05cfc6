import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createPerson } from '../support/person.ts';
import { letPass } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';
import { startSink } from '../support/sink.ts';

const HOURS = 60;
const BUTTON = 'This wasn’t me: report it';
const REPORTED_AT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

let server: TestServer;
let sink: Awaited<ReturnType<typeof startSink>>;
beforeAll(async () => {
  server = await startServer();
  sink = await startSink();
});
afterAll(async () => {
  await server.close();
  await sink.close();
});

/** A challenge in which a person decided so, or has only started. */
async function begin(decision?: string) {
  const created = await server.create({ callback_url: sink.url, requester_id: 'Service desk' });
  const person = createPerson(server);
  const { headers } = await person.press(created).expect(303);
  const started = headers['set-cookie'] as unknown as string[];
  await person.tell(created).expect(204);
  await person.answer(created).expect(303);
  if (decision) await person.decide(created, decision).expect(303);
  return { created, person, started };
}

/** All that a dispute could change. */
async function stateOf({ challenge_id }: Created) {
  const of = (table: 'events' | 'audit_entries') =>
    server.db.selectFrom(table).selectAll().where('challenge_id', '=', challenge_id).orderBy('id').execute();
  return {
    read: await server.read(challenge_id),
    events: await of('events'),
    audit: await of('audit_entries'),
  };
}

describe('after verified', () => {
  test('the person can say that it was not them: the status stays, and the requester is told', async () => {
    const { created, person } = await begin('approve');
    const first = await sink.waitFor(created.challenge_id);
    const { valid_until } = await server.read(created.challenge_id);
    expect(first.json).toMatchObject({
      ...{ event_type: 'challenge.completed', status: 'verified', sequence: 1 },
      ...{ disputed: false, incident: null, valid_until },
    });
    expect((await person.result(created).expect(200)).text).toContain(BUTTON);

    await person.report(created).expect(303).expect('Location', 'result');
    const { read, audit } = await stateOf(created);
    expect(read).toMatchObject({
      status: 'verified',
      disputed: true,
      valid_until: null,
      failure_reason: null,
    });
    expect(read.incident).toEqual({ reported_at: expect.stringMatching(REPORTED_AT), comment: null });
    expect(audit.at(-1)).toMatchObject({ actor: 'target', action: 'disputed', detail: { ip: '127.0.0.1' } });

    const second = await sink.waitFor(created.challenge_id, 2);
    const { incident } = read;
    expect(second.json).toMatchObject({
      ...{ event_type: 'challenge.incident_reported', status: 'verified', sequence: 2 },
      ...{ disputed: true, incident, valid_until: null, completed_at: read.completed_at },
    });
    expect(second.json.event_id).not.toBe(first.json.event_id);

    const page = await person.result(created).expect(200);
    expect(page.text).toContain('Thank you. Service desk can see now that this was not you.');
    expect(page.text).not.toContain(BUTTON);
  });

  test('also when the result was spent already', async () => {
    const { created, person } = await begin('approve');
    const path = `/api/v1/challenges/${created.challenge_id}/consume`;
    await server.request.post(path).set('X-API-Key', server.apiKey).expect(200);
    await person.report(created).expect(303);
    const read = await server.read(created.challenge_id);
    expect(read).toMatchObject({ disputed: true, consumed_at: expect.any(String) });
  });

  test.each([
    ['another browser', 403, (created: Created) => createPerson(server).report(created)],
    [
      'another site',
      403,
      (created: Created, person: ReturnType<typeof createPerson>) =>
        person.report(created).set('Sec-Fetch-Site', 'cross-site'),
    ],
    [
      'somebody who only looks at the page',
      200,
      (created: Created, person: ReturnType<typeof createPerson>) =>
        person.agent.get(`/challenge/${created.challenge_id}/report`),
    ],
  ])('%s cannot', async (_who, status, report) => {
    const { created, person } = await begin('approve');
    const before = await stateOf(created);
    await report(created, person).expect(status);
    // What was refused stands in the trail, and nothing else has changed.
    const { audit, ...after } = await stateOf(created);
    const others = audit.filter((entry) => 'action' in entry && entry.action !== 'request_refused');
    expect({ ...after, audit: others }).toEqual(before);
  });

  test('a second report changes nothing', async () => {
    const { created, person } = await begin('approve');
    await person.report(created).expect(303);
    const before = await stateOf(created);
    await person.report(created).expect(303).expect('Location', 'result');
    expect(await stateOf(created)).toEqual(before);
  });

  test('20 reports at once are one dispute', async () => {
    const { created, person } = await begin('approve');
    const answers = await Promise.all(Array.from({ length: 20 }, () => person.report(created)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([303]));
    const { events, audit } = await stateOf(created);
    expect(events.map((event) => 'sequence' in event && [event.type, event.sequence])).toEqual([
      ['challenge.completed', 1],
      ['challenge.incident_reported', 2],
    ]);
    expect(audit.filter((entry) => 'action' in entry && entry.action === 'disputed')).toHaveLength(1);
  });

  test('the browser can say so for 24 hours, whatever the validity, and then no longer', async () => {
    const { created, person, started } = await begin('approve');
    const [cookie] = started;
    expect(Number(/Max-Age=(\d+)/.exec(cookie ?? '')?.[1])).toBeGreaterThan(24 * 3_600);

    const late = await begin('approve');
    await letPass(server.db, late.created.challenge_id, 24 * HOURS);
    const before = await stateOf(late.created);
    expect((await late.person.result(late.created)).text).not.toContain(BUTTON);
    await late.person.report(late.created).expect(303).expect('Location', 'result');
    expect(await stateOf(late.created)).toEqual(before);

    await letPass(server.db, created.challenge_id, 24 * HOURS - 1);
    expect((await person.result(created)).text).toContain(BUTTON);
    await person.report(created).expect(303);
    expect(await server.read(created.challenge_id)).toMatchObject({ disputed: true });
  });
});

test.each(['decline', 'report'])('what has ended otherwise cannot be disputed (%s)', async (decision) => {
  const { created, person } = await begin(decision);
  const before = await stateOf(created);
  expect((await person.result(created)).text).not.toContain(BUTTON);
  await person.report(created).expect(303).expect('Location', 'result');
  expect(await stateOf(created)).toEqual(before);
  expect(before.read.disputed).toBe(false);
});

describe('an incident instead of verifying', () => {
  const reported = async (comment?: string) => {
    const { created, person } = await begin();
    await person.decide(created, 'report', comment).expect(303);
    return created;
  };

  test.each([
    ['I was asleep. Who is "Bob" <b>?', 'I was asleep. Who is "Bob" <b>?'],
    ['  nobody called me ', 'nobody called me'],
    ['😴'.repeat(501), '😴'.repeat(500)],
    ['two\nlines', 'two lines'],
    ['\u202Eright to left', 'right to left'],
    ['   ', null],
    [undefined, null],
  ])('carries the comment %j', async (given, comment) => {
    const created = await reported(given);
    const incident = { reported_at: expect.stringMatching(REPORTED_AT), comment };
    const { json } = await sink.waitFor(created.challenge_id);
    expect(json).toMatchObject({
      ...{ event_type: 'challenge.incident_reported', status: 'failed', sequence: 1 },
      ...{ failure_reason: 'incident_reported', incident, disputed: false, valid_until: null },
    });
    const read = await server.read(created.challenge_id);
    expect(read).toMatchObject({ status: 'failed', incident: json.incident });
  });
});
