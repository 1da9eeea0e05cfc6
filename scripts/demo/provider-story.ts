import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { providerCommands } from '../../src/cli/provider.ts';
import { providers } from '../../src/providers/index.ts';
import type { Simulator } from '../../src/simulators/simulator.ts';
import { startSink } from '../../test/support/sink.ts';
import { until } from '../../test/support/until.ts';
import { addWord, askAndOpen, receiveCallback, resultPage, startServer } from './chapters.ts';
import { createDesk } from './desk.ts';
import { check } from './steps.ts';
import type { Stage } from './stories.ts';
import { createVisitor, headingOf } from './visitor.ts';

/** From request to signed callback, with the provider played by a stand-in that checks what the provider checks. */
export async function providerStory(
  name: string,
  start: () => Promise<Simulator>,
  stage: Stage,
): Promise<void> {
  const { step, dir } = stage;
  const { server, config } = await startServer(stage);
  const { simulator, sink } = await startOthers(start, stage);
  const { label } = simulator;
  const desk = createDesk(server);
  const visitor = createVisitor();

  await step(`The operator connects ${label}, for test mode`, async (tell) => {
    const command = providerCommands.find((one) => one.name === `provider set ${name}`);
    const values = { mode: 'test', overlap: '0', ...enter(name, simulator, dir) };
    const answer = await command?.run(config, values);
    check(answer !== undefined, 'there is no command for it');
    const { webhook_url } = answer.json as { webhook_url: string };
    simulator.sendWebhooksTo(webhook_url);
    tell(`countersign provider set ${name} … says where ${label} is to send its webhooks:`);
    tell(webhook_url);
  });

  const wish = { provider: name, callback_url: sink.url };
  const { id, answerPage } = await askAndOpen(stage, { desk, visitor }, wish);

  const hosted = await step(
    `The person adds a word for the help desk and is led to ${label}`,
    async (tell) => {
      const arrived = await visitor.follow(await addWord({ visitor }, answerPage));
      check(headingOf(arrived.html) === `${label} stand-in`, 'this is not the stand-in’s page');
      const session = await simulator.sessionOf(id);
      tell(`session ${session.id} is open at ${label}`);
      return arrived.url;
    },
  );

  await step(`${label} approves the person`, async (tell) => {
    const ways = Object.entries(simulator.outcomes);
    const [approval = ''] = ways.find(([, becomes]) => becomes === 'verified') ?? [];
    const led = await visitor.press(hosted, { decision: approval });
    check(led === undefined || led === resultPage(server, id), `the browser is led to ${led}`);
    tell('the person goes back to Countersign; that proves nothing, only the webhooks do');
  });

  await step(`${label}’s webhooks make the challenge verified`, async (tell) => {
    await until(async () => (await desk.read(id)).status === 'verified', 'the challenge to be verified');
    const sent = simulator.deliveries;
    check(
      sent.length > 0 && sent.every(({ status }) => status === 200),
      'not every webhook was answered 200',
    );
    tell(`POST /webhooks/${name}/…: ${sent.length} of them, answered 200 each; it is verified`);
  });

  await receiveCallback(stage, server, sink, id);

  await step('The person sees the result', async (tell) => {
    const heading = headingOf(await visitor.open(resultPage(server, id)));
    check(heading === 'Identity verified', `the page says "${heading}"`);
    tell(`"${heading}"`);
  });
}

/** The options of the command as an operator would enter them; what is long goes into a file. */
function enter(name: string, { settings }: Simulator, dir: string): { [option: string]: string } {
  const options = Object.entries(providers[name]?.fields ?? {}).map(([field, { file }]) => {
    const value = settings[field] ?? '';
    const path = join(dir, field);
    if (file) writeFileSync(path, value, { mode: 0o600 });
    return [field.replaceAll('_', '-'), file ? path : value];
  });
  return Object.fromEntries(options) as { [option: string]: string };
}

/** Those it speaks to. */
function startOthers(start: () => Promise<Simulator>, { step, onClose }: Stage) {
  return step('A stand-in for the provider and the help desk start', async (tell) => {
    const [simulator, sink] = await Promise.all([start(), startSink()]);
    onClose(() => simulator.close());
    onClose(() => sink.close());
    tell(`${simulator.label} is played at ${simulator.url}; the help desk takes callbacks at ${sink.url}`);
    return { simulator, sink };
  });
}
