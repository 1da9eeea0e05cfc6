import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { providerCommands } from '../../src/cli/provider.ts';
import { readConfig } from '../../src/config.ts';
import { providers } from '../../src/providers/index.ts';
import { serve } from '../../src/serve.ts';
import type { Simulator } from '../../src/simulators/simulator.ts';
import { startSink } from '../../test/support/sink.ts';
import { until } from '../../test/support/until.ts';
import { verifyStandard, verifyWithNode } from '../../test/support/verifiers.ts';
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
    const answer = await command?.run({ ...config, publicUrl: server.url }, values);
    check(answer !== undefined, 'there is no command for it');
    const { webhook_url } = answer.json as { webhook_url: string };
    simulator.sendWebhooksTo(webhook_url);
    tell(`countersign provider set ${name} … says where ${label} is to send its webhooks:`);
    tell(webhook_url);
  });

  const challenge = await step('The help desk asks for a challenge', async (tell) => {
    const wish = { target_user_email: 'ada@example.com', context: 'Password reset, ticket 4711' };
    const created = await desk.create({ ...wish, provider: name, callback_url: sink.url });
    tell(`POST /api/v1/challenges: ${created.challenge_id} is ${created.status} until ${created.expires_at}`);
    tell(`both sides see the two digits ${created.verification_code}`);
    return created;
  });
  const { challenge_id: id, verification_url: link, verification_code: code } = challenge;

  await step('The person opens the link', async (tell) => {
    const page = await visitor.open(link);
    check(page.includes(`>${code}<`), 'the page does not show the two digits');
    const heading = headingOf(page);
    tell(`"${heading}". Looking changes nothing: it is still ${await desk.expectStatus(id, 'initiated')}`);
  });

  const answerPage = await step(
    'The person presses Continue; the page tells about the device',
    async (tell) => {
      const [page, token] = [link.split('?')[0] ?? '', new URL(link).searchParams.get('token') ?? ''];
      const next = await visitor.submit(page, { token, ...CLICK });
      await visitor.send(next.replace(/answer$/, 'device'), DEVICE);
      tell(
        `screen ${DEVICE.screen}, ${DEVICE.timezone}; it is ${await desk.expectStatus(id, 'in-progress')}`,
      );
      return next;
    },
  );

  const hosted = await step(
    `The person adds a word for the help desk and is led to ${label}`,
    async (tell) => {
      const onward = await visitor.open(
        await visitor.submit(answerPage, { response: 'New laptop', ...CLICK }),
      );
      const arrived = await visitor.follow(linkOf(onward));
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

  await step('The callback reaches the help desk, and both signatures hold', async (tell) => {
    const { body, headers, json } = await sink.waitFor(id);
    const header = String(headers['x-webhook-signature']);
    const { secret } = server;
    check(json.status === 'verified', `the callback says ${String(json.status)}`);
    check(json.target_response === 'New laptop', 'the callback does not say what the person added');
    check(verifyWithNode(body, header, secret), 'X-Webhook-Signature does not hold');
    check(verifyStandard(body, headers, secret), 'webhook-signature (Standard Webhooks) does not hold');
    const forged = Buffer.from(body.toString().replace('ada@', 'eve@'));
    const passes = verifyWithNode(forged, header, secret) || verifyStandard(forged, headers, secret);
    check(!passes, 'a changed body passes');
    tell(`${String(json.event_type)}, ${body.length} bytes`);
    tell('X-Webhook-Signature is right, webhook-signature (Standard Webhooks) is right');
    tell('the same with another e-mail address in the body: both refuse it');
  });

  await step('The person sees the result', async (tell) => {
    const heading = headingOf(await visitor.open(resultPage(server, id)));
    check(heading === 'Identity verified', `the page says "${heading}"`);
    tell(`"${heading}"`);
  });
}

/** What the button of a form sends when a person presses it. */
const CLICK = { go: 'yes' };
const DEVICE = { screen: '1920x1080', timezone: 'Europe/Berlin', language: 'en-GB' };

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

/** Where the page before the provider leads. */
function linkOf(page: string): string {
  const [, link] = /<a href="(https?:[^"]+)"/.exec(page) ?? [];
  check(link !== undefined, 'the page does not lead to the provider');
  return link.replaceAll('&amp;', '&');
}

function resultPage({ url }: { url: string }, id: string): string {
  return `${url}/challenge/${id}/result`;
}

/** The real server, with its own PostgreSQL in the stage's directory. */
async function startServer({ dir, step, onClose }: Stage) {
  const config = readConfig({ DATA_DIR: join(dir, 'data'), PORT: '0', LOG_LEVEL: 'silent' });
  const server = await step('The operator starts Countersign', async (tell) => {
    const starting = serve(config);
    // Told before it has started, so that Ctrl-C in between closes it too.
    onClose(async () => {
      const running = await starting.catch(() => undefined);
      await running?.close();
      // As root the bundled PostgreSQL may keep its state elsewhere.
      if (running?.stateDir) rmSync(running.stateDir, { recursive: true, force: true });
    });
    const { url = '', firstStart, stateDir = dir } = await starting;
    check(firstStart !== undefined, 'the database is not new');
    tell(`it listens on ${url}, with a bundled PostgreSQL in ${stateDir}`);
    return { url, ...firstStart };
  });
  return { server, config };
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
