import { WebClient } from '@slack/web-api';
import { asOf } from '../../src/challenges/challenge.ts';
import { findAnyChallenge } from '../../src/challenges/store.ts';
import type { Db } from '../../src/db/database.ts';
import type { Role } from '../../src/deliveries/messages-store.ts';
import type { Sealer } from '../../src/kernel/crypto.ts';
import { viewOf } from '../../src/slack/view.ts';
import { startServer } from './server.ts';
import type { TestServer } from './server.ts';
import { connectSlack, startSlack, wordsOf } from './slack.ts';
import type { Seen, Slack } from './slack.ts';
import { until } from './until.ts';

type Of = { challenge_id: string };
type Place = { db: Db; sealer: Sealer; slack: Slack };
export type World = Awaited<ReturnType<typeof openWorld>>;

/** What creates a challenge for ada that grace asks for. */
export const IN_SLACK = {
  integration_type: 'slack',
  target_user_email: 'ada@example.com',
  requester_email: 'grace@example.com',
  context: 'Password reset',
};

/** A server with one connected workspace. */
export async function openWorld(options: Parameters<typeof startServer>[0] = {}) {
  const [server, slack] = await Promise.all([startServer(options), startSlack()]);
  const instance = await connectSlack(server, slack);
  return {
    ...createReader({ db: server.db, sealer: server.sealer, slack }),
    ...{ server, slack, instance, db: server.db },
    create: (changes: object = {}) => server.create({ ...IN_SLACK, ...changes }),
    /** Waits until nothing is left to be done; what is to be tried again is due at once. */
    drain: (timeoutMs?: number) => until(() => makeAllDue(server.db), 'nothing more to be done', timeoutMs),
    /** Lets Slack answer again, and all that waited for it be done. */
    finish() {
      slack.intervene(() => undefined);
      return until(() => makeAllDue(server.db), 'nothing more to be done');
    },
    /** Lets Slack answer again, and the next test meet an endpoint that nothing has happened to. */
    async heal() {
      slack.intervene(() => undefined);
      const well = { open_until: null, opened_times: 0, paused_until: null, failing_since: null };
      const counts = {
        window_attempts: 0,
        window_failures: 0,
        consecutive_failures: 0,
        consecutive_unreachable: 0,
      };
      await server.db
        .updateTable('endpoints')
        .set({ ...well, ...counts, probe_successes: 0 })
        .execute();
    },
    async close() {
      await server.close();
      await slack.close();
    },
  };
}

/** Lets the time come of all that waits; true when nothing does. */
async function makeAllDue(db: Db): Promise<boolean> {
  const pending = await db
    .updateTable('deliveries')
    .set({ next_attempt_at: new Date() })
    .where('status', '=', 'pending')
    .returning('id')
    .execute();
  await db.updateTable('endpoints').set({ open_until: null, paused_until: null }).execute();
  return pending.length === 0;
}

/** Looks at the messages of challenges, in Slack and in the database. */
export function createReader({ db, sealer, slack }: Place) {
  const rowOf = ({ challenge_id }: Of, role: Role) =>
    db
      .selectFrom('slack_messages')
      .selectAll()
      .where('challenge_id', '=', challenge_id)
      .where('role', '=', role)
      .executeTakeFirst();
  const eventOf = async ({ challenge_id }: Of, role: Role) => {
    const events = db.selectFrom('events').select('id').where('challenge_id', '=', challenge_id);
    return (await events.where('type', '=', `slack.${role}`).executeTakeFirstOrThrow()).id;
  };
  const reader = {
    rowOf,
    /** The deliveries of a challenge's message, oldest first. */
    async deliveries(of: Of, role: Role) {
      const event = await eventOf(of, role);
      return db.selectFrom('deliveries').selectAll().where('event_id', '=', event).orderBy('id').execute();
    },
    /** What stands in Slack of a challenge: its card with ada, its notice with grace (or in the channel). */
    async seen(of: Of, role: Role, channel?: string): Promise<Seen[]> {
      const event = await eventOf(of, role);
      const all = channel ? slack.seenIn(channel) : slack.seenBy(role === 'card' ? 'ada' : 'grace');
      return (await all).filter(({ metadata }) => JSON.stringify(metadata)?.includes(event));
    },
    /** The words that the message has to show now. */
    async wanted(of: Of, role: Role): Promise<string> {
      const [row, stored] = [await rowOf(of, role), await findAnyChallenge(db, of.challenge_id)];
      if (!row || !stored) throw new Error(`there is no ${role}`);
      const { text, blocks } = await viewOf({ db, sealer }, row, asOf(stored, new Date()));
      return wordsOf({ text, blocks });
    },
    /** Waits until nothing about the message is pending any more. */
    quiet: (of: Of, role: Role, timeoutMs?: number) =>
      until(
        async () => (await reader.deliveries(of, role)).every(({ status }) => status !== 'pending'),
        `nothing more to be done about the ${role}`,
        timeoutMs,
      ),
    /** Waits until the message stands in Slack once and shows the challenge as it is now; returns it. */
    shown: (of: Of, role: Role, { timeoutMs, channel }: { timeoutMs?: number; channel?: string } = {}) =>
      until(
        async () => {
          const [one, more] = await reader.seen(of, role, channel);
          if (more) throw new Error(`the ${role} stands there more than once`);
          return one && wordsOf(one) === (await reader.wanted(of, role)) && one;
        },
        `the ${role} to show the challenge as it is`,
        timeoutMs,
      ),
    /** Waits until the challenge reads so. */
    status: ({ challenge_id }: Of, status: string, timeoutMs?: number) =>
      until(
        async () => {
          const challenge = await findAnyChallenge(db, challenge_id);
          return challenge?.status === status && challenge;
        },
        `the challenge to be ${status}`,
        timeoutMs,
      ),
  };
  return reader;
}

/** Deletes a message, as its workspace's administrators can. */
export async function deleteIn(slack: Slack, { channel, ts }: Seen): Promise<void> {
  await new WebClient(slack.botToken, { slackApiUrl: `${slack.url}/api/` }).chat.delete({ channel, ts });
}

/** Writes the challenge's deadline into the past. */
export async function runOut({ db }: Pick<TestServer, 'db'>, { challenge_id }: Of): Promise<void> {
  await db
    .updateTable('challenges')
    .set({ expires_at: new Date(Date.now() - 1_000) })
    .where('id', '=', challenge_id)
    .execute();
}
