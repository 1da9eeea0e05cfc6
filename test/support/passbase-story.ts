import supertest from 'supertest';
import { messageOf, startPassbase } from '../../src/simulators/passbase.ts';
import type { PassbaseIdentity } from '../../src/simulators/passbase-identities.ts';
import type { Reply } from '../../src/simulators/server.ts';
import { createPerson } from './person.ts';
import { startServer } from './server.ts';
import type { Backend } from './server.ts';
import { startSink } from './sink.ts';
import { until } from './until.ts';

/** The server looks every ten seconds for sessions to ask about. */
export const LOOKS_AGAIN_MS = 20_000;

type Json = { [field: string]: unknown };

/** A server whose first tenant uses Passbase in test mode, the Passbase stand-in, and a receiver of callbacks. */
export async function startPassbaseStory(backend: Backend = 'postgres') {
  const server = await startServer({ backend });
  const sink = await startSink();
  const requests: string[] = [];
  let answers: 'as ever' | 'hang up' | Reply = 'as ever';
  const passbase = await startPassbase({
    lastWord: ({ path }, reply) => {
      if (!path.startsWith('/verification/')) return Promise.resolve(reply);
      requests.push(path);
      return Promise.resolve(answers === 'as ever' ? reply : answers);
    },
  });
  const accountId = await server.provider('passbase', passbase.settings);
  const webhookUrl = `${server.url}/webhooks/passbase/${accountId}`;
  passbase.sendWebhooksTo(webhookUrl);

  /** Follows a link as the person's browser does; returns the identity that comes of it. */
  const openLink = async (url: string): Promise<PassbaseIdentity> => {
    const { pathname, search } = new URL(url);
    const { headers } = await supertest(passbase.url)
      .get(pathname + search)
      .expect(303);
    const opened = passbase.sessions.find((one) => one.url === headers.location);
    if (!opened) throw new Error(`${url} did not lead to an identity`);
    return opened;
  };

  return {
    server,
    sink,
    passbase,
    accountId,
    webhookUrl,
    /** the paths of the API that were asked for */
    requests,
    openLink,
    /** How Passbase's API answers from now on. */
    answerWith(next: typeof answers) {
      answers = next;
    },
    /** A challenge whose person has pressed Start and followed the link to Passbase. */
    async begin(body: Json = {}) {
      const created = await server.create({ callback_url: sink.url, provider: 'passbase', ...body });
      const id = created.challenge_id;
      const person = createPerson(server);
      await person.start(created).expect(303).expect('Location', `/challenge/${id}/continue`);
      const onward = await person.agent.get(`/challenge/${id}/continue`).expect(200);
      const link = /href="(http[^"]*[?]p=[^"]*)"/.exec(onward.text)?.[1] ?? '';
      return { id, created, person, link, identity: await openLink(link) };
    },
    /** Plays the identity's run this way and sends its webhooks; returns how they were answered. */
    play: (identity: PassbaseIdentity, outcome: string) => passbase.send(passbase.play(identity, outcome)),
    /** Sends any webhook as Passbase would, whatever is true there. */
    tell: (body: Json, secret = passbase.settings.webhook_secret) => passbase.send([messageOf(body, secret)]),
    /** Waits until the challenge has this status, and returns it. */
    reaches: (id: string, status: string) =>
      until(async () => {
        const read = await server.read(id);
        return read.status === status && read;
      }, `challenge ${id} to be ${status}`),
    /** What came of the identity's webhooks in the order they were kept, once all of them are handled. */
    outcomes: ({ id }: PassbaseIdentity) =>
      until(async () => {
        const rows = await server.db
          .selectFrom('inbox')
          .select(['handled_at', 'outcome'])
          .where('provider_session_id', '=', id)
          .orderBy('received_at')
          .orderBy('id')
          .execute();
        return rows.every((row) => row.handled_at) && rows.map((row) => row.outcome);
      }, `all webhooks of ${id} to be handled`),
    /** The challenge's verification sessions, oldest first. */
    sessionsOf: (id: string) =>
      server.db
        .selectFrom('verification_sessions')
        .selectAll()
        .where('challenge_id', '=', id)
        .orderBy('created_at')
        .execute(),
    /** Makes all open sessions due for a question. */
    async lookAgain(): Promise<void> {
      const due = { next_check_at: new Date(Date.now() - 1_000) };
      const open = server.db.updateTable('verification_sessions').set(due).where('status', '=', 'open');
      await open.execute();
    },
    /** What was done in the challenge's audit trail, oldest first. */
    async audit(id: string): Promise<string[]> {
      const entries = await server.db
        .selectFrom('audit_entries')
        .select('action')
        .where('challenge_id', '=', id)
        .orderBy('id')
        .execute();
      return entries.map(({ action }) => action);
    },
    /** How many events the challenge has announced: each becomes one callback. */
    async announced(id: string): Promise<number> {
      const rows = await server.db.selectFrom('events').select('id').where('challenge_id', '=', id).execute();
      return rows.length;
    },
    async close() {
      await passbase.close();
      await server.close();
      await sink.close();
    },
  };
}

export type PassbaseStory = Awaited<ReturnType<typeof startPassbaseStory>>;
