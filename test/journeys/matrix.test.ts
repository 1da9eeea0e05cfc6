import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sha256 } from '../../src/kernel/crypto.ts';
import { simulators } from '../../src/simulators/index.ts';
import type { Message, Simulator } from '../../src/simulators/simulator.ts';
import { startProviderStory } from '../support/provider-story.ts';
import type { ProviderStory } from '../support/provider-story.ts';
import { until } from '../support/until.ts';

/** The server looks every two seconds for sessions to ask about, but a question may take its time. */
const ALL_HANDLED_MS = 45_000;

/** How far apart late webhooks are. */
const LATE_MS = 100;
/** What the person reads. */
const TITLES = {
  'in-progress': 'Waiting for the result',
  verified: 'Identity verified',
  failed: 'Identity not verified',
  expired: 'This request has expired',
};

type Run = { outcome: string } & Awaited<ReturnType<ProviderStory['begin']>>;

/** Every way a provider's runs can go, in every order webhooks may take: one status, and one event if it is an end. */
describe.each(Object.entries(simulators))('%s', (name, start) => {
  let story: ProviderStory;
  let server: ProviderStory['server'];
  let vendor: Simulator;
  beforeAll(async () => {
    story = await startProviderStory(name, () => start({}));
    ({ server, simulator: vendor } = story);
    vendor.behave({ tries: 1 });
  });
  afterAll(() => story.close());

  const begin = async (outcome: string): Promise<Run> => ({ outcome, ...(await story.begin()) });
  /** One challenge for each outcome, whose person has come to the provider. */
  const beginAll = () => Promise.all(Object.keys(vendor.outcomes).map(begin));

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
        return { outcome, status, events: await story.announced(id) };
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

  test('late within the challenge’s life: delayed and in any order, while the result page is open', async () => {
    const runs = await beginAll();
    const looks = () =>
      Promise.all(runs.map(async ({ created, person }) => (await person.result(created).expect(200)).text));
    for (const page of await looks()) expect(page).toContain(TITLES['in-progress']);
    vendor.behave({ tries: 1, delayMs: LATE_MS });
    const sending = runs.map(({ session, outcome }) =>
      send(shuffled(outcome, vendor.play(session, outcome))),
    );
    await looks();
    await Promise.all(sending);
    vendor.behave({ tries: 1 });
    expect(await settled(runs)).toEqual(expected());
    for (const [place, page] of (await looks()).entries())
      expect(page).toContain(TITLES[vendor.outcomes[runs[place]!.outcome]!]);
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
    const announced = async () =>
      (await Promise.all(ids.map((id) => story.announced(id)))).every((count) => count > 0);
    await until(announced, 'all of them to have expired');
    expect(await settled(runs)).toEqual(expected(() => 'expired'));
  });

  test('lost: what the webhooks would have said is asked for', async () => {
    const runs = await beginAll();
    const ids = runs.map(({ id }) => id);
    runs.forEach(({ session, outcome }) => vendor.play(session, outcome));
    await story.lookAgain();
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
      const counts = await Promise.all(ids.map((id) => story.announced(id)));
      return counts.filter((count) => count > 0).length === ends;
    };
    await until(ended, `${ends} of them to end`, ALL_HANDLED_MS);
    expect(await settled(runs)).toEqual(expected());
  });
});

/** In an order that has nothing to do with theirs, and is the same each time. */
function shuffled(seed: string, messages: Message[]): Message[] {
  return messages
    .map((message, place) => ({ message, key: sha256(`${seed} ${place}`) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ message }) => message);
}
