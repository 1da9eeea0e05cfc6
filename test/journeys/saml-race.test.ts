import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { listTrail } from '../../src/challenges/trail-store.ts';
import { setIdp } from '../support/idp.ts';
import { createPerson } from '../support/person.ts';
import { startSamlIdp } from '../support/saml-idp.ts';
import type { SamlIdp } from '../support/saml-idp.ts';
import { bringBack, sentTo, signInAt } from '../support/saml-visitor.ts';
import type { Carried } from '../support/saml-visitor.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';
import { startSink } from '../support/sink.ts';

const ADA = { login: 'ada@example.com' };
/** Who comes first is different each time. */
const ROUNDS = [1, 2, 3];
const TABS = [1, 2, 3];

let server: TestServer;
let idp: SamlIdp;
let sink: Awaited<ReturnType<typeof startSink>>;
beforeAll(async () => {
  [server, idp, sink] = await Promise.all([startServer(), startSamlIdp(), startSink()]);
  await setIdp(server, 'saml', { metadata_url: idp.metadataUrl, subject_attribute: '', max_attempts: '3' });
});
afterAll(async () => {
  await server.close();
  await idp.close();
  await sink.close();
});

type Person = ReturnType<typeof createPerson>;

/** Somebody who was asked. */
const ask = () => server.create({ provider: 'saml', callback_url: sink.url });

/** Presses Start and goes on, in this browser or a new one; where they are sent then. */
async function goTo(created: Created, person: Person = createPerson(server)) {
  await person.start(created).expect(303).expect('Location', `/challenge/${created.challenge_id}/continue`);
  return { person, url: (await sentTo(person, created)).url };
}

/** Brings an answer back, and stops where the browser would show its ticket. */
async function ticketFor({ agent }: Person, carried: Carried): Promise<string | undefined> {
  const { headers } = await agent.post('/saml/acs').type('form').send(carried).expect(303);
  return headers.location?.includes('/signed-in') ? headers.location : undefined;
}

/** Brings an answer back and shows the ticket: in vain while the cookie of another click is still on its way. */
async function comeIn(person: Person, carried: Carried): Promise<void> {
  const ticket = await ticketFor(person, carried);
  if (ticket !== undefined) await person.agent.get(ticket);
}

const read = ({ challenge_id }: Created) => server.read(challenge_id);

async function refusalsOf({ challenge_id }: Created) {
  const trail = await listTrail(server.db, challenge_id);
  const refusals = trail.filter(({ action }) => action === 'sign_in_refused');
  return refusals.map(({ detail }) => (detail as { reason: string }).reason);
}

/** The end was announced once, and whoever asked was told so once. */
async function expectOneEnd(created: Created, status: string): Promise<void> {
  const { challenge_id } = created;
  expect(await read(created)).toMatchObject({ status });
  const told = await sink.waitFor(challenge_id);
  expect(told.json).toMatchObject({ event_type: 'challenge.completed', status });
  const announced = await server.db
    .selectFrom('events')
    .leftJoin('deliveries', 'deliveries.event_id', 'events.id')
    .select(['type', 'deliveries.id as delivery'])
    .where('challenge_id', '=', challenge_id)
    .execute();
  expect(announced).toEqual([{ type: 'challenge.completed', delivery: expect.any(String) }]);
  expect(sink.of(challenge_id)).toHaveLength(1);
}

describe('tabs of one browser', () => {
  test.each(ROUNDS)('that bring the same answer at once make one end (%i)', async () => {
    const created = await ask();
    const { person, url } = await goTo(created);
    const carried = await signInAt(url, ADA);
    const tickets = await Promise.all(TABS.map(() => ticketFor(person, carried)));
    const [ticket = '', ...others] = tickets.filter((one) => one !== undefined);
    expect(others).toEqual([]);
    await Promise.all(TABS.map(() => person.agent.get(ticket).expect(303)));
    await expectOneEnd(created, 'verified');
  });

  test.each(ROUNDS)('of which one signs in and one says no make one end (%i)', async () => {
    const created = await ask();
    const { person, url } = await goTo(created);
    const [yes, no] = await Promise.all([signInAt(url, ADA), signInAt(url, { cancel: '' })]);
    await Promise.all([bringBack(person, yes), bringBack(person, no)]);
    const { status } = await read(created);
    expect(['verified', 'failed']).toContain(status);
    await expectOneEnd(created, String(status));
  });

  test.each(ROUNDS)(
    'that were sent off one after the other make one end, with the last answer (%i)',
    async () => {
      const created = await ask();
      const first = await goTo(created);
      const second = await goTo(created, first.person);
      const [one, two] = await Promise.all([signInAt(first.url, ADA), signInAt(second.url, ADA)]);
      await Promise.all([bringBack(first.person, one), bringBack(second.person, two)]);
      await expectOneEnd(created, 'verified');
      // Written down unless the end came before.
      expect([[], ['superseded']]).toContainEqual(await refusalsOf(created));
    },
  );

  test.each(ROUNDS)(
    'of which one comes back while Start is pressed in the other make one end (%i)',
    async () => {
      const created = await ask();
      const first = await goTo(created);
      const carried = await signInAt(first.url, ADA);
      const [, second] = await Promise.all([
        comeIn(first.person, carried),
        goTo(created, first.person).catch(() => undefined),
      ]);
      if ((await read(created)).status === 'in-progress') {
        if (!second) throw new Error('neither tab can go on');
        await bringBack(second.person, await signInAt(second.url, ADA));
      }
      await expectOneEnd(created, 'verified');
    },
  );
});

describe('two browsers', () => {
  test.each(ROUNDS)(
    'that come back at once make one end, in the one that pressed Start last (%i)',
    async () => {
      const created = await ask();
      const first = await goTo(created);
      const second = await goTo(created);
      const [one, two] = await Promise.all([signInAt(first.url, ADA), signInAt(second.url, ADA)]);
      const [posted] = await Promise.all([ticketFor(first.person, one), bringBack(second.person, two)]);
      expect(posted).toBeUndefined();
      await first.person.result(created).expect(403);
      await second.person.result(created).expect(200);
      await expectOneEnd(created, 'verified');
    },
  );

  test.each(ROUNDS)(
    'of which one shows its ticket while the other takes over make one end (%i)',
    async () => {
      const created = await ask();
      const first = await goTo(created);
      const ticket = (await ticketFor(first.person, await signInAt(first.url, ADA))) ?? '';
      const [, second] = await Promise.all([
        first.person.agent.get(ticket),
        goTo(created).catch(() => undefined),
      ]);
      if ((await read(created)).status === 'in-progress') {
        if (!second) throw new Error('neither browser can go on');
        await bringBack(second.person, await signInAt(second.url, ADA));
      }
      await expectOneEnd(created, 'verified');
    },
  );

  test.each(ROUNDS)(
    'that carry one answer both make one end, in the one that was sent off (%i)',
    async () => {
      const created = await ask();
      const { person, url } = await goTo(created);
      const thief = createPerson(server);
      const carried = await signInAt(url, ADA);
      const [mine, theirs] = await Promise.all([ticketFor(person, carried), ticketFor(thief, carried)]);
      expect([mine, theirs].filter((one) => one === undefined)).toHaveLength(1);
      if (theirs !== undefined) {
        await thief.agent.get(theirs).expect(403);
        expect(await read(created)).toMatchObject({ status: 'in-progress', subject: null });
        const next = await goTo(created, person);
        await bringBack(person, await signInAt(next.url, ADA));
      } else {
        await person.agent.get(mine ?? '').expect(303);
      }
      await expectOneEnd(created, 'verified');
    },
  );
});
