import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startBerbix } from '../../src/simulators/berbix.ts';
import { startPassbase } from '../../src/simulators/passbase.ts';
import type { Message, SimulatedSession, Simulator } from '../../src/simulators/simulator.ts';
import { startVeriff } from '../../src/simulators/veriff.ts';
import { createPerson } from '../support/person.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

/** Every provider, every way its runs can go, in every order webhooks may take: one status, and one event if it is an end. */
const VENDORS: { [name: string]: () => Promise<Simulator> } = {
  veriff: startVeriff,
  berbix: startBerbix,
  passbase: startPassbase,
};
/** The server looks every ten seconds for sessions to ask about. */
const ALL_HANDLED_MS = 45_000;

type Run = { outcome: string; id: string; session: SimulatedSession };

describe.each(Object.keys(VENDORS))('%s', (name) => {
  let server: TestServer;
  let vendor: Simulator;
  beforeAll(async () => {
    server = await startServer();
    vendor = await VENDORS[name]!();
    vendor.sendWebhooksTo(`${server.url}/webhooks/${name}/${await server.provider(name, vendor.settings)}`);
    vendor.behave({ tries: 1 });
  });
  afterAll(async () => {
    await vendor.close();
    await server.close();
  });

  /** One challenge for each outcome, whose person has come to the provider. */
  function beginAll(): Promise<Run[]> {
    return Promise.all(
      Object.keys(vendor.outcomes).map(async (outcome) => {
        const created = await server.create({ provider: name });
        const person = createPerson(server);
        await person.start(created).expect(303);
        const id = created.challenge_id;
        const page = await person.agent.get(`/challenge/${id}/continue`).expect(200);
        // Some sessions begin only when the person is there.
        const link = /href="(http[^"]+)"/.exec(page.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
        await (await fetch(link)).text();
        return { outcome, id, session: await vendor.sessionOf(id) };
      }),
    );
  }

  const eventsOf = async (id: string) => {
    const rows = await server.db.selectFrom('events').select('type').where('challenge_id', '=', id).execute();
    return rows.length;
  };

  /** Waits until there is nothing left to do, then says how each challenge stands and how many events it has announced. */
  async function settled(runs: Run[]) {
    await until(
      async () => {
        const waiting = await server.db
          .selectFrom('inbox')
          .select('id')
          .where('handled_at', 'is', null)
          .execute();
        return waiting.length === 0;
      },
      'all webhooks to be handled',
      ALL_HANDLED_MS,
    );
    return Promise.all(
      runs.map(async ({ outcome, id }) => {
        const { status } = await server.read(id);
        return { outcome, status, events: await eventsOf(id) };
      }),
    );
  }

  const expected = (as: (status: string) => string = (status) => status) =>
    Object.entries(vendor.outcomes).map(([outcome, status]) => ({
      outcome,
      status: as(status),
      events: as(status) === 'in-progress' ? 0 : 1,
    }));

  /** Sends one after the other; the provider wants nothing but 200. */
  async function send(messages: readonly Message[]): Promise<void> {
    for (const message of messages)
      for (const status of await vendor.send([message])) expect(status).toBe(200);
  }

  test('in order', async () => {
    const runs = await beginAll();
    await Promise.all(runs.map(({ session, outcome }) => send(vendor.play(session, outcome))));
    expect(await settled(runs)).toEqual(expected());
  });

  test('reversed', async () => {
    const runs = await beginAll();
    await Promise.all(runs.map(({ session, outcome }) => send(vendor.play(session, outcome).toReversed())));
    expect(await settled(runs)).toEqual(expected());
  });

  test('duplicated: five of each at once, and all of them again when it is over', async () => {
    const runs = await beginAll();
    const played = runs.map(({ session, outcome }) => vendor.play(session, outcome));
    vendor.behave({ tries: 1, copies: 5 });
    await Promise.all(played.map(send));
    vendor.behave({ tries: 1 });
    await settled(runs);
    await Promise.all(played.map(send));
    expect(await settled(runs)).toEqual(expected());
  });

  test('late: after the challenge’s own deadline they change nothing', async () => {
    const runs = await beginAll();
    const ids = runs.map(({ id }) => id);
    await server.db
      .updateTable('challenges')
      .set({ expires_at: new Date(Date.now() - 1_000) })
      .where('id', 'in', ids)
      .execute();
    await Promise.all(runs.map(({ session, outcome }) => send(vendor.play(session, outcome))));
    const announced = async () => (await Promise.all(ids.map(eventsOf))).every((count) => count > 0);
    await until(announced, 'all of them to have expired');
    expect(await settled(runs)).toEqual(expected(() => 'expired'));
  });

  test('lost: what the webhooks would have said is asked for', async () => {
    const runs = await beginAll();
    const ids = runs.map(({ id }) => id);
    runs.forEach(({ session, outcome }) => vendor.play(session, outcome));
    await server.db
      .updateTable('verification_sessions')
      .set({ next_check_at: new Date(Date.now() - 1_000) })
      .where('challenge_id', 'in', ids)
      .execute();
    const asked = async () => {
      const rows = await server.db
        .selectFrom('verification_sessions')
        .select(['checks', 'status'])
        .where('challenge_id', 'in', ids)
        .execute();
      return rows.every(({ checks, status }) => checks > 0 || status === 'ended');
    };
    await until(asked, 'the provider to be asked about all of them', ALL_HANDLED_MS);
    const ends = expected().filter(({ events }) => events > 0).length;
    const ended = async () => {
      const counts = await Promise.all(ids.map(eventsOf));
      return counts.filter((count) => count > 0).length === ends;
    };
    await until(ended, `${ends} of them to end`, ALL_HANDLED_MS);
    expect(await settled(runs)).toEqual(expected());
  });
});
