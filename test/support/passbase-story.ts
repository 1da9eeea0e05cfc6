import supertest from 'supertest';
import { messageOf, startPassbase } from '../../src/simulators/passbase.ts';
import type { PassbaseIdentity } from '../../src/simulators/passbase-identities.ts';
import type { Reply } from '../../src/simulators/server.ts';
import { linkOf, startProviderStory } from './provider-story.ts';
import type { Backend } from './server.ts';

type Json = { [field: string]: unknown };

/** A server whose first tenant uses Passbase in test mode, the Passbase stand-in, and a receiver of callbacks. */
export async function startPassbaseStory(backend: Backend = 'postgres') {
  const requests: string[] = [];
  let answers: 'as ever' | 'hang up' | Reply | (() => Promise<Reply>) = 'as ever';
  const start = () =>
    startPassbase({
      lastWord: ({ path }, reply) => {
        if (!path.startsWith('/verification/')) return Promise.resolve(reply);
        requests.push(path);
        if (typeof answers === 'function') return answers();
        return Promise.resolve(answers === 'as ever' ? reply : answers);
      },
    });
  const story = await startProviderStory('passbase', start, { backend });
  const { server, simulator: passbase } = story;

  return {
    ...story,
    passbase,
    /** the paths of the API that were asked for */
    requests,
    /** How Passbase's API answers from now on. */
    answerWith(next: typeof answers) {
      answers = next;
    },
    /** Follows a link as the person's browser does; returns the identity that comes of it. */
    async openLink(url: string): Promise<PassbaseIdentity> {
      const { pathname, search } = new URL(url);
      const { headers } = await supertest(passbase.url)
        .get(pathname + search)
        .expect(303);
      const opened = passbase.sessions.find((one) => one.url === headers.location);
      if (!opened) throw new Error(`${url} did not lead to an identity`);
      return opened;
    },
    /** A challenge whose person has pressed Start and followed the link to Passbase. */
    async begin(body: Json = {}) {
      const { session: identity, ...begun } = await story.begin(body);
      const onward = await begun.person.agent.get(`/challenge/${begun.id}/continue`).expect(200);
      return { ...begun, identity, link: linkOf(onward.text) };
    },
    /** Sends any webhook as Passbase would, whatever is true there. */
    tell: (body: Json, secret = passbase.settings.webhook_secret) => passbase.send([messageOf(body, secret)]),
    /** The challenge's verification sessions, oldest first. */
    sessionsOf: (id: string) =>
      server.db
        .selectFrom('verification_sessions')
        .selectAll()
        .where('challenge_id', '=', id)
        .orderBy('created_at')
        .execute(),
    /** What was done in the challenge's audit trail, oldest first. */
    audit: async (id: string) => (await story.audit(id)).map(({ action }) => action),
  };
}

export type PassbaseStory = Awaited<ReturnType<typeof startPassbaseStory>>;
