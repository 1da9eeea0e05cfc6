import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hmacHex } from '../../src/kernel/crypto.ts';
import { saveConnection } from '../../src/slack/workspaces-store.ts';
import { expectRefusal } from '../support/refusal.ts';
import { countRows } from '../support/rows.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';
import { connectSlack, startSlack } from '../support/slack.ts';
import type { Slack } from '../support/slack.ts';
import { addKey, messagesOf, whoSees } from '../support/slack-story.ts';
import { startSink } from '../support/sink.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';
const IN_SLACK = { integration_type: 'slack', target_user_email: 'ada@example.com' };

let server: TestServer;
let slack: Slack;
let sink: Awaited<ReturnType<typeof startSink>>;
/** The first tenant's, in the order they were connected. */
let [first, second] = ['', ''];
beforeAll(async () => {
  [server, slack, sink] = await Promise.all([startServer({ env: HTTPS }), startSlack(), startSink()]);
  first = await connectSlack(server, slack, { name: 'One' });
  second = await connectSlack(server, slack, { name: 'Two' });
});
afterAll(async () => {
  await server.close();
  await slack.close();
  await sink.close();
});

const post = (body: object, key = server.apiKey, headers: Record<string, string> = {}) =>
  server.request
    .post('/api/v1/challenges')
    .set({ 'X-API-Key': key, ...headers })
    .send({ ...IN_SLACK, ...body });
/** The id of the workspace in which the person was asked. */
const whereOf = async ({ challenge_id }: Created, key = server.apiKey) =>
  (await server.read(challenge_id, key)).slack_instance_id;
const disconnect = (id: string) =>
  saveConnection(
    server.db,
    id,
    { settings_sealed: null, team_id: null, team_name: null, bot_user_id: null },
    null,
  );

describe('of several workspaces', () => {
  test('the first is taken, unless the request names another', async () => {
    expect(await whereOf(await server.create(IN_SLACK))).toBe(first);
    for (const slack_instance_id of [first, second])
      expect(await whereOf(await server.create({ ...IN_SLACK, slack_instance_id }))).toBe(slack_instance_id);
  });

  test('the first that is connected is taken', async () => {
    const { tenant_id, apiKey } = await server.integration({ newTenant: true });
    const gone = await connectSlack(server, slack, { tenant_id });
    const there = await connectSlack(server, slack, { tenant_id });
    await disconnect(gone);
    expect(await whereOf(await server.create(IN_SLACK, apiKey), apiKey)).toBe(there);
  });

  test('no other can be told from one that is not there', async () => {
    const stranger = await server.integration({ newTenant: true });
    const gone = await connectSlack(server, slack, { name: 'Gone' });
    await disconnect(gone);
    const others = [
      await connectSlack(server, slack, { tenant_id: stranger.tenant_id }),
      await connectSlack(server, slack, { mode: 'live' }),
      ...[gone, NOBODY, stranger.integrationId, 'first'],
    ];
    const before = await countRows(server.db, 'events');
    for (const slack_instance_id of others)
      expectRefusal(await post({ slack_instance_id }), 400, {
        ...{ code: 'invalid', field: 'slack_instance_id' },
        error: `slack_instance_id must be a connected workspace of test mode: ${first} (One), ${second} (Two)`,
      });
    expectRefusal(await post({ slack_instance_id: 7 }), 400, { code: 'invalid', field: 'slack_instance_id' });
    expect(await countRows(server.db, 'events')).toBe(before);
  });
});

describe('without a workspace', () => {
  const error = (mode: string) =>
    `no Slack workspace is configured for this tenant in ${mode} mode; see \`countersign slack add --help\``;

  test('a request is refused with the command that adds one', async () => {
    const { tenant_id, apiKey } = await server.integration({ newTenant: true });
    const refusal = { code: 'invalid', field: 'integration_type', error: error('test') };
    expectRefusal(await post({}, apiKey), 400, refusal);
    expectRefusal(await post({ slack_instance_id: first }, apiKey), 400, refusal);
    await disconnect(await connectSlack(server, slack, { tenant_id }));
    expectRefusal(await post({}, apiKey), 400, refusal);
  });

  test('of its mode a key is refused, whatever the other mode has', async () => {
    const [own, live] = [
      await server.integration({ newTenant: true }),
      await server.integration({ newTenant: true, mode: 'live' }),
    ];
    await connectSlack(server, slack, { tenant_id: own.tenant_id, mode: 'live' });
    await connectSlack(server, slack, { tenant_id: live.tenant_id });
    const refusal = { code: 'invalid', field: 'integration_type' };
    expectRefusal(await post({}, own.apiKey), 400, { ...refusal, error: error('test') });
    expectRefusal(await post({}, live.apiKey), 400, { ...refusal, error: error('live') });
  });
});

test('in live mode Slack is only called on the public internet, by https', async () => {
  const { tenant_id, apiKey } = await server.integration({ newTenant: true, mode: 'live' });
  await connectSlack(server, slack, { tenant_id, mode: 'live' });
  const inside = { ...slack, url: slack.url.replace('http:', 'https:').replace('127.0.0.1', '10.0.0.1') };
  const hidden = await connectSlack(server, inside, { tenant_id, mode: 'live' });
  const before = slack.calls.length;
  for (const body of [{}, { slack_instance_id: hidden }]) {
    const answer = await post(body, apiKey);
    expectRefusal(answer, 503, { code: 'unavailable' });
    const sentence = /^Slack cannot be reached: .+; see `countersign slack test`$/;
    expect((answer.body as { error: string }).error).toMatch(sentence);
  }
  expect(slack.calls).toHaveLength(before);
});

describe('every key of the tenant may', () => {
  test('that of another integration', async () => {
    const { apiKey } = await server.integration();
    const created = await server.create({ ...IN_SLACK, requester_email: 'grace@example.com' }, apiKey);
    expect(await whoSees(server, slack, created.challenge_id)).toEqual({ ada: ['card'], grace: ['notice'] });
    expect(await whereOf(created)).toBe(first);
  });

  test('that of a workspace, for itself and for another', async () => {
    const apiKey = await addKey(server, second);
    expect(await whereOf(await server.create(IN_SLACK, apiKey))).toBe(first);
    expect(await whereOf(await server.create({ ...IN_SLACK, slack_instance_id: second }, apiKey))).toBe(
      second,
    );
    const plain = await server.create({}, apiKey);
    expect(await whereOf(plain)).toBeNull();
  });

  test('that sees only its own, and sees what it asked for in Slack', async () => {
    const rights = { scopes: ['challenges:create', 'challenges:read'], own_only: true };
    const narrow = (await server.integration({ rights })).apiKey;
    const ofWorkspace = await addKey(server, first, rights);
    const [one, two] = [await server.create(IN_SLACK, narrow), await server.create(IN_SLACK, ofWorkspace)];
    expect(await whereOf(one, narrow)).toBe(first);
    expect(await whereOf(two, ofWorkspace)).toBe(first);
    for (const [created, key] of [
      [one, ofWorkspace],
      [two, narrow],
    ] as const)
      expect((await server.read(created.challenge_id, key)).code).toBe('not_found');
  });

  test('but not one that may not create', async () => {
    const rights = { scopes: ['challenges:read'], own_only: false };
    const { apiKey } = await server.integration({ rights });
    expectRefusal(await post({}, apiKey), 403, { code: 'forbidden' });
  });
});

describe('a callback', () => {
  /** Ends the challenge as its key, and returns the one callback that came of it, with its signature checked. */
  async function callbackOf(created: Created, key: string, secret: string) {
    await server.request.post(`/api/v1/challenges/${created.challenge_id}/cancel`).set('X-API-Key', key);
    const callback = await sink.waitFor(created.challenge_id);
    expect(callback.headers['x-webhook-signature']).toBe(`sha256=${hmacHex(secret, callback.body)}`);
    return callback;
  }

  test('is sent as well where the request names an address, and Slack is told too', async () => {
    const { apiKey, secret } = await server.integration();
    const asked = { ...IN_SLACK, requester_email: 'grace@example.com', callback_url: sink.url };
    const created = await server.create(asked, apiKey);
    const { challenge_id } = created;
    expect(await whoSees(server, slack, challenge_id)).toEqual({ ada: ['card'], grace: ['notice'] });
    const { json } = await callbackOf(created, apiKey, secret);
    expect(json).toMatchObject({ challenge_id, target_user_id: slack.users.ada, status: 'failed' });
    const rows = await messagesOf(server.db, challenge_id);
    for (const [name, row] of [['ada', rows[0]] as const, ['grace', rows[1]] as const])
      await slack.waitFor(name, (_, { ts, edited }) => ts === row?.ts && edited, 'the end');
  });

  test('is signed with the workspace’s own secret for its own key', async () => {
    const { tenant_id } = await server.integration({ newTenant: true });
    const instance = await connectSlack(server, slack, { tenant_id });
    const apiKey = await addKey(server, instance);
    const { sealed, id } = await server.db
      .selectFrom('callback_secrets')
      .select(['sealed', 'id'])
      .where('integration_id', '=', instance)
      .executeTakeFirstOrThrow();
    const created = await server.create({ ...IN_SLACK, callback_url: sink.url }, apiKey);
    await callbackOf(created, apiKey, server.sealer.unseal(sealed, `callback_secrets:${id}`));
  });

  test('is not sent to the address of the integration, which is for those that do not ask in Slack', async () => {
    const { apiKey } = await server.integration({ callback_url: sink.url });
    const created = await server.create(IN_SLACK, apiKey);
    const { challenge_id } = created;
    await server.request.post(`/api/v1/challenges/${challenge_id}/cancel`).set('X-API-Key', apiKey);
    const ended = await server.db
      .selectFrom('deliveries')
      .innerJoin('events', 'events.id', 'deliveries.event_id')
      .select('events.type')
      .where('events.challenge_id', '=', challenge_id)
      .execute();
    expect(new Set(ended.map(({ type }) => type))).toEqual(new Set(['slack.card']));
  });

  test('may not go where callbacks of its mode may not', async () => {
    const answer = await post({ callback_url: 'ftp://example.com/' });
    expectRefusal(answer, 400, { code: 'invalid', field: 'callback_url' });
  });
});

describe('an idempotency key', () => {
  const once = (key: string, body: object = {}) => post(body, server.apiKey, { 'Idempotency-Key': key });

  test('makes of the same request one challenge and one card, with the same answer', async () => {
    const one = await once('same').expect(201);
    const again = await once('same').expect(201);
    expect(again.text).toBe(one.text);
    expect(again.headers['idempotency-replayed']).toBe('true');
    const { challenge_id } = one.body as Created;
    expect(await whoSees(server, slack, challenge_id)).toEqual({ ada: ['card'] });
  });

  test('makes one of many at once', async () => {
    const before = await countRows(server.db, 'challenges');
    const all = await Promise.all(Array.from({ length: 10 }, () => once('at-once').expect(201)));
    expect(new Set(all.map(({ text }) => text)).size).toBe(1);
    expect((await countRows(server.db, 'challenges')) - before).toBe(1);
    const [one] = all.map(({ body }) => body as Created);
    expect(await messagesOf(server.db, one?.challenge_id ?? '')).toHaveLength(1);
  });

  test('is answered again while Slack is down, and once the workspace is gone', async () => {
    const { tenant_id, apiKey } = await server.integration({ newTenant: true });
    const instance = await connectSlack(server, slack, { tenant_id });
    const ask = () => post({}, apiKey, { 'Idempotency-Key': 'down' });
    const one = await ask().expect(201);
    slack.intervene(() => ({ status: 500 }));
    expect((await ask().expect(201)).text).toBe(one.text);
    slack.intervene(() => undefined);
    await disconnect(instance);
    expect((await ask().expect(201)).text).toBe(one.text);
  });

  test('conflicts with a request that says something else about Slack', async () => {
    await once('other').expect(201);
    for (const body of [
      { requester_email: 'grace@example.com' },
      { slack_user_id: slack.users.grace },
      { slack_instance_id: second },
      { integration_type: 'webhook' },
    ])
      expectRefusal(await once('other', body), 409, {
        ...{ code: 'idempotency_key_reused', field: 'Idempotency-Key' },
      });
  });

  test('is free again when the request was refused, or Slack did not answer', async () => {
    await once('refused', { requester_email: 'nobody@example.com' }).expect(400);
    await once('refused').expect(201);
    slack.intervene(() => ({ status: 500 }));
    await once('failed').expect(503);
    slack.intervene(() => undefined);
    await once('failed').expect(201);
  });
});
