import { createPerson } from './person.ts';
import { startServer } from './server.ts';
import type { Backend } from './server.ts';
import { startSink } from './sink.ts';
import { until } from './until.ts';
import { startVeriff } from './veriff.ts';
import type { VeriffSession } from './veriff-bodies.ts';

/** A server whose first tenant uses Veriff in test mode, the Veriff stand-in, and a receiver of callbacks. */
export async function startVeriffStory(backend: Backend = 'postgres') {
  const server = await startServer({ backend });
  const sink = await startSink();
  const veriff = await startVeriff();
  const accountId = await server.provider('veriff', veriff.settings);
  const webhookUrl = `${server.url}/webhooks/veriff/${accountId}`;
  veriff.sendWebhooksTo(webhookUrl);

  return {
    server,
    sink,
    veriff,
    accountId,
    webhookUrl,
    /** A challenge whose person has pressed Start, so that there is a session at Veriff. */
    async begin() {
      const created = await server.create({ callback_url: sink.url });
      const person = createPerson(server);
      await person.start(created).expect(303);
      const id = created.challenge_id;
      return { id, created, person, session: await veriff.sessionOf(id) };
    },
    /** Waits until the challenge has this status, and returns it. */
    reaches: (id: string, status: string) =>
      until(async () => {
        const read = await server.read(id);
        return read.status === status && read;
      }, `challenge ${id} to be ${status}`),
    /** What came of the session's webhooks in the order they were kept, once all of them are handled. */
    outcomes: (session: VeriffSession, timeoutMs?: number) =>
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
      await veriff.close();
      await server.close();
      await sink.close();
    },
  };
}

export type VeriffStory = Awaited<ReturnType<typeof startVeriffStory>>;
