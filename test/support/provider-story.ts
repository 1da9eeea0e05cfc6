import type { SimulatedSession, Simulator } from '../../src/simulators/simulator.ts';
import { createPerson } from './person.ts';
import { startServer } from './server.ts';
import type { Backend } from './server.ts';
import { startSink } from './sink.ts';
import { until } from './until.ts';

/** The server looks every two seconds for sessions to ask about; a busy machine takes longer. */
export const LOOKS_AGAIN_MS = 20_000;

type Json = Record<string, unknown>;
type Options = { backend?: Backend; env?: Record<string, string> };

/** A server whose first tenant uses this provider in test mode, played by its simulator, and a receiver of callbacks. */
export async function startProviderStory<S extends Simulator>(
  name: string,
  start: () => Promise<S>,
  options: Options = {},
) {
  const server = await startServer(options);
  const sink = await startSink();
  const simulator = await start();
  const accountId = await server.provider(name, simulator.settings);
  const webhookUrl = `${server.url}/webhooks/${name}/${accountId}`;
  simulator.sendWebhooksTo(webhookUrl);
  const sessionOf = (id: string) => simulator.sessionOf(id) as ReturnType<S['sessionOf']>;

  return {
    server,
    sink,
    simulator,
    accountId,
    webhookUrl,
    /** A challenge whose person has pressed Start and gone on, so that there is a session at the provider. */
    async begin(body: Json = {}) {
      const created = await server.create({ callback_url: sink.url, provider: name, ...body });
      const id = created.challenge_id;
      const person = createPerson(server);
      await person.start(created).expect(303);
      // Some providers know of a session only when the browser comes.
      if (!simulator.sessions.some(({ challengeId }) => challengeId === id)) {
        const onward = await person.agent.get(`/challenge/${id}/continue`).expect(200);
        await (await fetch(linkOf(onward.text))).text();
      }
      return { id, created, person, session: await sessionOf(id) };
    },
    /** Lets the session go this way; returns how its webhooks were answered. */
    play: (session: SimulatedSession, outcome: string) => simulator.send(simulator.play(session, outcome)),
    /** Waits until the challenge has this status, and returns it. */
    reaches: (id: string, status: string, timeoutMs?: number) =>
      until(
        async () => {
          const read = await server.read(id);
          return read.status === status && read;
        },
        `challenge ${id} to be ${status}`,
        timeoutMs,
      ),
    /** What came of the session's webhooks in the order they were kept, once all of them are handled. */
    outcomes: (session: Pick<SimulatedSession, 'id'>, timeoutMs?: number) =>
      until(
        async () => {
          const rows = await server.db
            .selectFrom('inbox')
            .select(['handled_at', 'outcome'])
            .where('provider_session_id', '=', session.id)
            .orderBy('received_at')
            .orderBy('id')
            .execute();
          return rows.every((row) => row.handled_at) && rows.map((row) => row.outcome);
        },
        `all webhooks of ${session.id} to be handled`,
        timeoutMs,
      ),
    /** Makes all open sessions due for a question; the server looks every two seconds. */
    async lookAgain(): Promise<void> {
      const due = { next_check_at: new Date(Date.now() - 1_000) };
      await server.db.updateTable('verification_sessions').set(due).where('status', '=', 'open').execute();
    },
    /** The challenge's audit trail, oldest first. */
    audit: (id: string) =>
      server.db
        .selectFrom('audit_entries')
        .select(['actor', 'action', 'detail'])
        .where('challenge_id', '=', id)
        .orderBy('id')
        .execute(),
    /** How many events the challenge has announced: each becomes one callback. */
    async announced(id: string): Promise<number> {
      const events = await server.db
        .selectFrom('events')
        .select('id')
        .where('challenge_id', '=', id)
        .execute();
      return events.length;
    },
    async close() {
      await simulator.close();
      await server.close();
      await sink.close();
    },
  };
}

export type ProviderStory = Awaited<ReturnType<typeof startProviderStory<Simulator>>>;

/** Where the page before the provider leads. */
export function linkOf(page: string): string {
  const [, link = ''] = /<a href="(https?:[^"]+)"/.exec(page) ?? [];
  return link.replaceAll('&amp;', '&');
}
