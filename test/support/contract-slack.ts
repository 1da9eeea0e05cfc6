import { gzipSync } from 'node:zlib';
import type { Answer } from './contract.ts';
import type { Created, TestServer } from './server.ts';
import { connectSlack, startSlack } from './slack.ts';
import type { Slack } from './slack.ts';
import { press, sendCommand } from './slack-requests.ts';
import type { At } from './slack-requests.ts';
import { until } from './until.ts';

const CHALLENGES = '/api/v1/challenges';
const NOBODY = '00000000-0000-4000-8000-000000000000';
/** Expects an answer to be as documented. */
type Keeps = (operationId: string, status: number, answer: Answer) => void;
/** What is wrong with the value by this part of the document. */
type ErrorsOf = (pointer: string, value: unknown) => string | undefined;
type Desk = { keeps: Keeps; errorsOf: ErrorsOf; server: TestServer; slack: Slack; apiKey: string; at: At };

/** A workspace of a tenant of its own: what Slack sends, and what programs then see. */
export async function driveSlack(keeps: Keeps, errorsOf: ErrorsOf, server: TestServer): Promise<void> {
  const slack = await startSlack();
  try {
    const { apiKey, tenant_id } = await server.integration({ newTenant: true });
    const instance = await connectSlack(server, slack, { tenant_id });
    const at = { server, instance, secret: slack.signingSecret };
    const desk = { keeps, errorsOf, server, slack, apiKey, at };
    await driveDoors(desk);
    await driveCreate(desk);
    await driveGivenUp(desk);
  } finally {
    await slack.close();
  }
}

async function driveDoors({ keeps, server, slack, apiKey, at }: Desk): Promise<void> {
  const nowhere = { ...at, instance: NOBODY };
  const forged = { ...at, secret: 'another' };
  const manifest = (instance: string) => server.request.get(`/slack/${instance}/manifest.yaml`).buffer(true);
  keeps('showSlackManifest', 200, await manifest(at.instance));
  keeps('showSlackManifest', 404, await manifest(NOBODY));

  const ada = `<@${slack.users.ada}|ada>`;
  keeps('receiveSlackCommand', 200, await sendCommand(slack, at, `${ada} Password reset`));
  keeps('receiveSlackCommand', 200, await sendCommand(slack, at, ''));
  keeps('receiveSlackCommand', 400, await sendCommand(slack, at, ada, { trigger_id: '' }));
  keeps('receiveSlackCommand', 401, await sendCommand(slack, forged, ada));
  keeps('receiveSlackCommand', 403, await sendCommand(slack, at, ada, { team_id: 'T0OTHER' }));
  keeps('receiveSlackCommand', 404, await sendCommand(slack, nowhere, ada));
  await refusesBodies('receiveSlackCommand', `/slack/${at.instance}/commands`);

  const card = await slack.waitFor('ada', () => true, 'the card');
  keeps('receiveSlackInteraction', 200, await press(slack, at, card, 'verify', { text: 'I travel' }));
  keeps('receiveSlackInteraction', 400, await press(slack, at, card, 'report', { actionTs: 'never' }));
  keeps('receiveSlackInteraction', 401, await press(slack, forged, card, 'report'));
  keeps('receiveSlackInteraction', 403, await press(slack, at, card, 'report', { team: 'T0OTHER' }));
  keeps('receiveSlackInteraction', 404, await press(slack, nowhere, card, 'report'));
  await refusesBodies('receiveSlackInteraction', `/slack/${at.instance}/interactions`);
  const { grace } = slack.users;
  keeps('receiveSlackInteraction', 200, await press(slack, at, card, 'report', { user: grace }));
  keeps('receiveSlackInteraction', 200, await press(slack, at, card, 'report'));
  await slack.waitFor('ada', (_, { edited }) => edited, 'the end');
  keeps('listChallenges', 200, await server.request.get(CHALLENGES).set('X-API-Key', apiKey));

  async function refusesBodies(operationId: string, path: string) {
    const form = server.request.post(path).type('form');
    keeps(operationId, 413, await form.send(`x=${'x'.repeat(300_000)}`));
    const packed = server.request.post(path).type('form').set('Content-Encoding', 'gzip');
    keeps(operationId, 415, await packed.send(gzipSync('x=x')));
  }
}

/** Creating over REST, and what is listed of it. */
async function driveCreate({ keeps, errorsOf, server, slack, apiKey, at }: Desk): Promise<void> {
  const key = { 'X-API-Key': apiKey };
  const maximal = {
    ...{ integration_type: 'slack', slack_instance_id: at.instance, context: 'Password reset' },
    ...{ target_user_id: slack.users.linus, target_user_email: 'linus@example.com' },
    ...{ slack_user_id: slack.users.grace, requester_email: 'grace@example.com' },
  };
  const wrong = errorsOf('/components/schemas/CreateChallenge', maximal);
  if (wrong !== undefined) throw new Error(wrong);
  const post = (body: object) => server.request.post(CHALLENGES).set(key).send(body);
  const answer = await post(maximal);
  keeps('createChallenge', 201, answer);
  const { challenge_id } = answer.body as Created;
  const path = `${CHALLENGES}/${challenge_id}`;
  keeps('getChallenge', 200, await server.request.get(path).set(key));
  keeps('createChallenge', 400, await post({ ...maximal, slack_user_id: 'U0NOBODY' }));
  slack.intervene(() => ({ status: 500 }));
  keeps('createChallenge', 503, await post(maximal));
  slack.intervene(() => undefined);
  await slack.waitFor('linus', () => true, 'the card');
  keeps('cancelChallenge', 200, await server.request.post(`${path}/cancel`).set(key));
  await slack.waitFor('linus', (_, { edited }) => edited, 'the end');
  keeps('listEndpoints', 200, await server.request.get('/api/v1/endpoints').set(key));
}

/** Slack takes no card: the challenge ends, and its deliveries say why. */
async function driveGivenUp({ keeps, server, slack, apiKey }: Desk): Promise<void> {
  const key = { 'X-API-Key': apiKey };
  slack.intervene((method) =>
    method === 'chat.postMessage' ? { body: { ok: false, error: 'cannot_dm_bot' } } : undefined,
  );
  const created = await server.create({ integration_type: 'slack' }, apiKey);
  const read = () => server.request.get(`${CHALLENGES}/${created.challenge_id}`).set(key);
  const end = await until(async () => {
    const answer = await read();
    return (answer.body as { failure_reason: unknown }).failure_reason === 'undeliverable' && answer;
  }, 'the challenge to be given up');
  slack.intervene(() => undefined);
  keeps('getChallenge', 200, end);
  const listed = await server.request.get('/api/v1/deliveries').set(key);
  keeps('listDeliveries', 200, listed);
  const { data } = listed.body as { data: Listed[] };
  const missing = SLACK_TYPES.filter((type) => !data.some((one) => one.event_type === type));
  if (missing.length > 0) throw new Error(`no delivery of ${missing.join(', ')}`);
  const rejected = data.find(({ dead_reason }) => dead_reason === 'rejected');
  const paths = [...data, rejected].map((one) => `/api/v1/deliveries/${one?.delivery_id}`);
  for (const path of paths) keeps('getDelivery', 200, await server.request.get(path).set(key));
  keeps('previewDelivery', 409, await server.request.get(`${paths[0]}/preview`).set(key));
  const again = await server.request.post(`${paths.at(-1)}/resend`).set(key);
  keeps('resendDelivery', 202, again);
}

type Listed = { delivery_id: string; event_type: string; dead_reason: string | null };
const SLACK_TYPES = ['slack.card', 'slack.notice', 'slack.command', 'slack.reply'];
