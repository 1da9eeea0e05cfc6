import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { readConfig } from '../../src/config.ts';
import { serve } from '../../src/serve.ts';
import type { startSink } from '../../test/support/sink.ts';
import { verifyStandard, verifyWithNode } from '../../test/support/verifiers.ts';
import type { Challenge, createDesk } from './desk.ts';
import { check } from './steps.ts';
import type { Stage } from './stories.ts';
import { headingOf } from './visitor.ts';
import type { createVisitor } from './visitor.ts';

type Server = { url: string; secret: string };
type Actors = { desk: ReturnType<typeof createDesk>; visitor: ReturnType<typeof createVisitor> };
type Sink = Awaited<ReturnType<typeof startSink>>;

/** What the button of a form sends when a person presses it. */
export const CLICK = { go: 'yes' };
const DEVICE = { screen: '1920x1080', timezone: 'Europe/Berlin', language: 'en-GB' };
/** What the person adds. */
export const RESPONSE = 'New laptop';

/** The real server, with its own PostgreSQL in the stage's directory, and what its commands are run with. */
export async function startServer({ dir, step, onClose }: Stage) {
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
  return { server, config: { ...config, publicUrl: server.url } };
}

/** From the request until the person is about to add a word: returns the challenge's id and that page. */
export async function askAndOpen({ step }: Stage, { desk, visitor }: Actors, wish: object) {
  const challenge = await step('The help desk asks for a challenge', async (tell) => {
    const target = { target_user_email: 'ada@example.com', context: 'Password reset, ticket 4711' };
    const created = await desk.create({ ...target, ...wish });
    tell(`POST /api/v1/challenges: ${created.challenge_id} is ${created.status} until ${created.expires_at}`);
    tell(`both sides see the two digits ${created.verification_code}`);
    return created;
  });
  return {
    id: challenge.challenge_id,
    answerPage: await openAndContinue({ step }, { desk, visitor }, challenge),
  };
}

/** From the link until the person is about to add a word: returns that page. */
export async function openAndContinue(
  { step }: Pick<Stage, 'step'>,
  { desk, visitor }: Actors,
  { challenge_id: id, verification_url: link, verification_code: code }: Challenge,
): Promise<string> {
  await step('The person opens the link', async (tell) => {
    const page = await visitor.open(link);
    check(page.includes(`>${code}<`), 'the page does not show the two digits');
    const heading = headingOf(page);
    tell(`"${heading}". Looking changes nothing: it is still ${await desk.expectStatus(id, 'initiated')}`);
  });

  return step('The person presses Continue; the page tells about the device', async (tell) => {
    const [page, token] = [link.split('?')[0] ?? '', new URL(link).searchParams.get('token') ?? ''];
    const next = await visitor.submit(page, { token, ...CLICK });
    await visitor.send(next.replace(/answer$/, 'device'), DEVICE);
    tell(`screen ${DEVICE.screen}, ${DEVICE.timezone}; it is ${await desk.expectStatus(id, 'in-progress')}`);
    return next;
  });
}

/** Adds a word for the help desk; where the person is led then. */
export async function addWord({ visitor }: Pick<Actors, 'visitor'>, answerPage: string): Promise<string> {
  return linkOf(await visitor.open(await visitor.submit(answerPage, { response: RESPONSE, ...CLICK })));
}

/** Where the page before the provider leads. */
export function linkOf(page: string): string {
  const [, link] = /<a href="(https?:[^"]+)"/.exec(page) ?? [];
  check(link !== undefined, 'the page leads nowhere');
  return link.replaceAll('&amp;', '&');
}

/** The help desk hears of it, and believes it. */
export async function receiveCallback({ step }: Stage, { secret }: Server, sink: Sink, id: string) {
  await step('The callback reaches the help desk, and both signatures hold', async (tell) => {
    const { body, headers, json } = await sink.waitFor(id);
    const header = String(headers['x-webhook-signature']);
    check(json.status === 'verified', `the callback says ${String(json.status)}`);
    check(json.target_response === RESPONSE, 'the callback does not say what the person added');
    check(verifyWithNode(body, header, secret), 'X-Webhook-Signature does not hold');
    check(verifyStandard(body, headers, secret), 'webhook-signature (Standard Webhooks) does not hold');
    const forged = Buffer.from(body.toString().replace('ada@', 'eve@'));
    const passes = verifyWithNode(forged, header, secret) || verifyStandard(forged, headers, secret);
    check(!passes, 'a changed body passes');
    tell(`${String(json.event_type)}, ${body.length} bytes`);
    tell('X-Webhook-Signature is right, webhook-signature (Standard Webhooks) is right');
    tell('the same with another e-mail address in the body: both refuse it');
  });
}

/** The page that everything ends with. */
export function resultPage({ url }: Server, id: string): string {
  return `${url}/challenge/${id}/result`;
}
