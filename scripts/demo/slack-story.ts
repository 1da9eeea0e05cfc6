import supertest from 'supertest';
import type { Values } from '../../src/cli/command.ts';
import { slackCommands } from '../../src/cli/slack.ts';
import type { Config } from '../../src/config.ts';
import { startSink } from '../../test/support/sink.ts';
import { buttonOf, press, sendCommand } from '../../test/support/slack-requests.ts';
import { startSlack } from '../../test/support/slack.ts';
import type { Seen, Slack } from '../../test/support/slack.ts';
import { CLICK, openAndContinue, receiveCallback, RESPONSE, startServer } from './chapters.ts';
import { createDesk } from './desk.ts';
import { linesOf } from './slack-view.ts';
import { check } from './steps.ts';
import type { Stage } from './stories.ts';
import { createVisitor, headingOf } from './visitor.ts';

/** From request to answer in Slack, in a workspace that is emulated on this machine; then one that is reported. */
export async function slackStory(stage: Stage): Promise<void> {
  const { step } = stage;
  const { server, config } = await startServer(stage);
  const { slack, sink } = await startOthers(stage);
  const desk = createDesk(server);
  const visitor = createVisitor();
  const instance = await connect(stage, config, slack);
  const at = { server: { request: supertest(server.url) }, instance, secret: slack.signingSecret };
  const names = { [slack.users.ada]: 'Ada', [slack.users.grace]: 'Grace', [slack.bot]: 'Countersign' };
  const show = (tell: (line: string) => void, seen: Seen) => linesOf(seen, names).forEach(tell);

  const challenge = await step('The help desk asks for a challenge in Slack', async (tell) => {
    const people = { target_user_email: 'ada@example.com', requester_email: 'grace@example.com' };
    const about = { context: 'Password reset', ticket: 'INC-4711', callback_url: sink.url };
    const created = await desk.create({ integration_type: 'slack', ...people, ...about });
    tell(`POST /api/v1/challenges: ${created.challenge_id} is ${created.status}`);
    return created;
  });
  const { challenge_id: id } = challenge;

  const card = await step('Ada is asked by a message of the app', async (tell) => {
    const seen = await slack.waitFor('ada', (words) => words.includes(id), 'the card');
    show(tell, seen);
    return seen;
  });

  await step('Grace, who asked, has one as well', async (tell) => {
    show(tell, await slack.waitFor('grace', (words) => words.includes(id), 'the notice'));
  });

  await step('Ada adds a word and presses “Verify, it was me”', async (tell) => {
    await press(slack, at, card, 'verify', { text: RESPONSE }).expect(200);
    const { url } = buttonOf(card, 'verify') ?? {};
    check(url === challenge.verification_url, 'the button leads elsewhere');
    tell('POST /slack/…/interactions, signed by Slack, is answered 200; the button opens the link');
  });

  const answerPage = await openAndContinue(stage, { desk, visitor }, challenge);

  await step('Her word from Slack stands there already; she is verified', async (tell) => {
    check((await visitor.open(answerPage)).includes(RESPONSE), 'the word from Slack is not there');
    const sandbox = await visitor.submit(answerPage, { response: RESPONSE, ...CLICK });
    const heading = headingOf(await visitor.open(await visitor.submit(sandbox, { decision: 'approve' })));
    check(heading === 'Identity verified', `the page says "${heading}"`);
    tell(`"${heading}"; it is ${await desk.expectStatus(id, 'verified')}`);
  });

  await step('Both messages say so now', async (tell) => {
    for (const person of ['ada', 'grace'] as const) {
      show(tell, await slack.waitFor(person, (words) => words.includes('Chrome 140'), 'the end'));
      tell('');
    }
  });

  await receiveCallback(stage, server, sink, id);
  await reportIncident(stage, { slack, at, show });
}

type World = {
  slack: Slack;
  at: Parameters<typeof sendCommand>[1];
  show: (tell: (line: string) => void, seen: Seen) => void;
};

/** The same by a command; and it was not her. */
async function reportIncident({ step }: Stage, { slack, at, show }: World): Promise<void> {
  const isOpen = (_: string, seen: Seen) => buttonOf(seen, 'verify') !== undefined;

  const card = await step('Grace asks again, by /challenge @ada New phone', async (tell) => {
    await sendCommand(slack, at, `<@${slack.users.ada}|ada> New phone`).expect(200);
    const seen = await slack.waitFor('ada', isOpen, 'the next card');
    tell('POST /slack/…/commands is answered 200 at once; Ada has a card again');
    return seen;
  });

  await step('Ada presses “Report incident, wasn’t me”', async (tell) => {
    await press(slack, at, card, 'report', { text: 'I have no new phone' }).expect(200);
    for (const person of ['ada', 'grace'] as const) {
      show(tell, await slack.waitFor(person, (words) => words.includes('Incident reported'), 'the alarm'));
      tell('');
    }
  });
}

function connect({ step }: Stage, config: Config, slack: Slack): Promise<string> {
  return step('The operator connects the workspace, for test mode', async (tell) => {
    const added = { name: 'Example Slack', 'api-url': slack.url };
    const { slack_instance_id: id } = await run<{ slack_instance_id: string }>('slack add', config, added);
    tell('countersign slack add … says how to create the app, whose manifest is made here');
    const secrets = { 'bot-token': slack.botToken, 'signing-secret': slack.signingSecret };
    await run('slack connect', config, { id, ...secrets });
    const { ok } = await run<{ ok: boolean }>('slack test', config, { id });
    check(ok, 'slack test finds something wrong');
    tell(
      'countersign slack connect … asks Slack whose token it is; countersign slack test finds nothing wrong',
    );
    return id;
  });
}

/** What a command answers for programs. */
async function run<T>(name: string, config: Config, values: Values): Promise<T> {
  const answer = await slackCommands
    .find((one) => one.name === name)
    ?.run(config, { mode: 'test', ...values });
  check(answer !== undefined, `there is no command ${name}`);
  return answer.json as T;
}

/** Those it speaks to. */
function startOthers({ step, onClose }: Stage) {
  return step('A Slack workspace and the help desk start', async (tell) => {
    const [slack, sink] = await Promise.all([startSlack(), startSink()]);
    onClose(() => slack.close());
    onClose(() => sink.close());
    tell(`Slack is emulated at ${slack.url}; the help desk takes callbacks at ${sink.url}`);
    return { slack, sink };
  });
}
