import type { Ephemeral, Seen, Slack } from './slack.ts';
import { connectSlack, startSlack, wordsOf } from './slack.ts';
import { press, sendCommand } from './slack-requests.ts';
import type { At, Press } from './slack-requests.ts';
import { startServer } from './server.ts';
import type { TestServer } from './server.ts';
import { until } from './until.ts';

/** A server with a workspace connected to it, and people in it who type and press. */
export async function startStage() {
  const [server, slack] = await Promise.all([startServer(), startSlack()]);
  const instance = await connectSlack(server, slack);
  const at = (changes: Partial<At> = {}): At => ({
    ...{ server, instance, secret: slack.signingSecret },
    ...changes,
  });
  const stage = {
    ...{ server, slack, instance, at },
    /** Types `/challenge <text>`, as grace; the answer that only she sees. */
    async type(text: string, changes: Record<string, string> = {}): Promise<string> {
      const { body } = await sendCommand(slack, at(), text, changes).expect(200);
      const { response_type, text: said } = body as Ephemeral;
      if (response_type !== 'ephemeral') throw new Error(`everybody sees ${JSON.stringify(body)}`);
      return said;
    },
    /** Asks ada for this reason, on behalf of grace; her card. */
    async ask(reason: string): Promise<Seen> {
      const who = { target_user_email: 'ada@example.com', slack_user_id: slack.users.grace };
      await server.create({ integration_type: 'slack', ...who, context: reason });
      return slack.waitFor('ada', (words) => words.includes(reason), `the card for ${reason}`);
    },
    /** Presses a button in a card, as ada. */
    press: (seen: Seen, action: 'verify' | 'report', more: Press = {}) =>
      press(slack, at(), seen, action, more).expect(200, ''),
    /** Waits for what one person alone is told, in answer to what they did. */
    told: (is: (text: string) => boolean, what: string) =>
      until(() => slack.ephemerals.find(({ text }) => is(text))?.text, `somebody to be told ${what}`),
    /** How many messages with these words somebody can read. */
    async count(name: keyof Slack['users'], words: string): Promise<number> {
      return (await slack.seenBy(name)).filter((seen) => wordsOf(seen).includes(words)).length;
    },
    /** Waits until nothing is left to be done in Slack. */
    settled: () => settled(server),
    async close() {
      await server.close();
      await slack.close();
    },
  };
  return stage;
}

export type Stage = Awaited<ReturnType<typeof startStage>>;

async function settled({ db }: TestServer): Promise<void> {
  await until(async () => {
    const pending = db.selectFrom('deliveries').select('id').where('status', '=', 'pending');
    return (await pending.executeTakeFirst()) === undefined;
  }, 'all deliveries to be done');
}
