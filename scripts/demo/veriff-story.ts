import { rmSync } from 'node:fs';
import { providerCommands } from '../../src/cli/provider.ts';
import { readConfig } from '../../src/config.ts';
import { serve } from '../../src/serve.ts';
import { startSink } from '../../test/support/sink.ts';
import { until } from '../../test/support/until.ts';
import { startVeriff } from '../../test/support/veriff.ts';
import { verifyStandard, verifyWithNode } from '../../test/support/verifiers.ts';
import { createDesk } from './desk.ts';
import { check } from './steps.ts';
import type { Stage } from './stories.ts';
import { createVisitor, headingOf } from './visitor.ts';

/** From request to signed callback, with Veriff played by a stand-in that checks and signs as Veriff does. */
export async function veriffStory(stage: Stage): Promise<void> {
  const { step } = stage;
  const { server, config } = await startServer(stage);
  const { veriff, sink } = await startOthers(stage);
  const desk = createDesk(server);
  const visitor = createVisitor();

  await step('The operator connects Veriff, for test mode', async (tell) => {
    const command = providerCommands.find(({ name }) => name === 'provider set veriff');
    const { api_key, shared_secret, base_url } = veriff.settings;
    const values = { mode: 'test', 'api-key': api_key, 'shared-secret': shared_secret, 'base-url': base_url };
    const answer = await command?.run({ ...config, publicUrl: server.url }, values);
    check(answer !== undefined, 'there is no command for it');
    const { webhook_url } = answer.json as { webhook_url: string };
    veriff.sendWebhooksTo(webhook_url);
    tell('countersign provider set veriff … says where Veriff is to send its webhooks:');
    tell(webhook_url);
  });

  const challenge = await step('The help desk asks for a challenge', async (tell) => {
    const wish = { target_user_email: 'ada@example.com', context: 'Password reset, ticket 4711' };
    const created = await desk.create({ ...wish, callback_url: sink.url });
    tell(`POST /api/v1/challenges: ${created.challenge_id} is ${created.status} until ${created.expires_at}`);
    return created;
  });
  const { challenge_id: id, verification_url: link } = challenge;

  await step('The person opens the link', async (tell) => {
    const heading = headingOf(await visitor.open(link));
    tell(`"${heading}". Looking changes nothing: it is still ${await desk.expectStatus(id, 'initiated')}`);
  });

  const hosted = await step('The person presses Continue and is led to Veriff', async (tell) => {
    const [page, token] = [link.split('?')[0] ?? '', new URL(link).searchParams.get('token') ?? ''];
    const onward = await visitor.open(await visitor.submit(page, { token }));
    const session = await veriff.sessionOf(id);
    check(onward.includes(`<a href="${session.url}"`), 'the page does not lead to the session at Veriff');
    tell(`session ${session.id} is open at Veriff; it is ${await desk.expectStatus(id, 'in-progress')}`);
    return session.url;
  });

  const back = await step('Veriff approves the person', async (tell) => {
    check(headingOf(await visitor.open(hosted)) === 'Veriff stand-in', 'this is not the stand-in’s page');
    const returned = await visitor.submit(hosted, { decision: 'approved' });
    tell('the browser goes back to Countersign; that proves nothing, only the webhook does');
    return returned;
  });

  await step('Veriff’s signed webhook makes the challenge verified', async (tell) => {
    const sent = await until(() => veriff.deliveries[0], 'the webhook to be answered');
    check(sent.status === 200, `the webhook was answered ${sent.status}`);
    await until(async () => (await desk.read(id)).status === 'verified', 'the challenge to be verified');
    tell(`POST /webhooks/veriff/…: answered 200 after ${sent.ms} ms; it is verified`);
  });

  await step('The callback reaches the help desk, and both signatures hold', async (tell) => {
    const { body, headers, json } = await sink.waitFor(id);
    const header = String(headers['x-webhook-signature']);
    const { secret } = server;
    check(json.status === 'verified', `the callback says ${String(json.status)}`);
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
    const heading = headingOf(await visitor.open(back));
    check(heading === 'Identity verified', `the page says "${heading}"`);
    tell(`"${heading}"`);
  });
}

/** The real server, with its own PostgreSQL in the stage's directory. */
async function startServer({ dir, step, onClose }: Stage) {
  const config = readConfig({ DATA_DIR: dir, PORT: '0', LOG_LEVEL: 'silent' });
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
function startOthers({ step, onClose }: Stage) {
  return step('A Veriff stand-in and the help desk start', async (tell) => {
    const [veriff, sink] = await Promise.all([startVeriff(), startSink()]);
    onClose(() => veriff.close());
    onClose(() => sink.close());
    tell(`Veriff is played at ${veriff.url}; the help desk takes callbacks at ${sink.url}`);
    return { veriff, sink };
  });
}
