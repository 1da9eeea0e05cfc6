import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { saveConnection } from '../../src/slack/workspaces-store.ts';
import { createDatabase } from '../support/database.ts';
import { startDatabaseProxy } from '../support/database-proxy.ts';
import { expectRefusal } from '../support/refusal.ts';
import { readAllRows } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { connectSlack } from '../support/slack.ts';
import type { Seen, Slack } from '../support/slack.ts';
import { press, sendCommand, signatureOf } from '../support/slack-requests.ts';
import type { At } from '../support/slack-requests.ts';
import { startStage } from '../support/slack-stage.ts';
import type { Stage } from '../support/slack-stage.ts';
import { until } from '../support/until.ts';

let stage: Stage;
let slack: Slack;
let server: TestServer;
let card: Seen;
beforeAll(async () => {
  stage = await startStage();
  ({ slack, server } = stage);
  card = await stage.ask('at the door');
  await stage.settled();
});
afterAll(() => stage.close());

const seconds = () => Math.floor(Date.now() / 1_000);
/** A command and a press that would both count. */
const both = (at: At, server_: Pick<TestServer, 'request'> = server) => [
  sendCommand(slack, { ...at, server: server_ }, `<@${slack.users.ada}> reset`),
  press(slack, { ...at, server: server_ }, card, 'report'),
];

/** What may not change for a request that is turned away. */
async function kept() {
  const { challenges, events, deliveries, audit_entries } = await readAllRows(server.db);
  return { challenges, events, deliveries, audit_entries };
}

async function counted(outcome: string): Promise<number[]> {
  const { text } = await server.request.get('/metrics');
  return ['commands', 'interactions'].map((kind) => {
    const line = `countersign_slack_requests_total{kind="${kind}",outcome="${outcome}"} `;
    return Number(
      text
        .split('\n')
        .find((one) => one.startsWith(line))
        ?.slice(line.length) ?? 0,
    );
  });
}

test('what Slack did not sign, or signed some time ago, or will sign, is refused, counted, and changes nothing', async () => {
  const before = await kept();
  const { at } = stage;
  const forged: Partial<At>[] = [
    { secret: 'guessed' },
    { signature: '' },
    { signature: 'v0=' },
    { signature: signatureOf(slack.signingSecret, seconds(), 'another body') },
  ];
  for (const change of forged)
    for (const answer of await Promise.all(both(at(change))))
      expectRefusal(answer, 401, { code: 'unauthorized', error: 'Invalid signature' });
  for (const timestamp of [seconds() - 310, seconds() + 310])
    for (const answer of await Promise.all(both(at({ timestamp }))))
      expectRefusal(answer, 401, {
        ...{ code: 'unauthorized', error: 'The request is not of the last five minutes' },
      });
  expect(await kept()).toEqual(before);
  expect(await counted('bad_signature')).toEqual([forged.length, forged.length]);
  expect(await counted('old')).toEqual([2, 2]);
});

test('each workspace’s address takes what is signed for it, and for no other, of the same tenant or not', async () => {
  const other = await server.integration({ newTenant: true });
  const instances = [
    await connectSlack(server, { ...slack, signingSecret: 'second' }, { name: 'Second' }),
    await connectSlack(server, { ...slack, signingSecret: 'third' }, { tenant_id: other.tenant_id }),
  ];
  const before = await kept();
  for (const instance of instances)
    for (const answer of await Promise.all(both(stage.at({ instance }))))
      expectRefusal(answer, 401, { code: 'unauthorized', error: 'Invalid signature' });
  for (const secret of ['second', 'third'])
    for (const answer of await Promise.all(both(stage.at({ secret })))) expect(answer.status).toBe(401);
  expect(await kept()).toEqual(before);
});

test('what was sent in another workspace is refused, although the app signed it', async () => {
  const before = await kept();
  const ada = `<@${slack.users.ada}> reset`;
  const error = 'This address is for another Slack workspace';
  for (const team of ['T000000002', ''])
    for (const answer of [
      await sendCommand(slack, stage.at(), ada, { team_id: team }),
      await press(slack, stage.at(), card, 'report', { team }),
    ])
      expectRefusal(answer, 403, { code: 'forbidden', error });
  expect(await kept()).toEqual(before);
  expect(await counted('other_team')).toEqual([2, 2]);
});

test('nobody is at home where there is no workspace, or none that is connected', async () => {
  const disconnected = await connectSlack(server, slack, { name: 'Gone' });
  const nothing = { settings_sealed: null, team_id: null, team_name: null, bot_user_id: null };
  await saveConnection(server.db, disconnected, nothing, null);
  const { integrationId } = await server.integration();
  for (const instance of [disconnected, integrationId, '0198c0de-0000-7000-8000-000000000000', 'nothing'])
    for (const answer of await Promise.all(both(stage.at({ instance }))))
      expectRefusal(answer, 404, { code: 'not_found', error: 'No such Slack workspace' });
});

test('what is too large, compressed, no form or lacks what it must have is refused in the one shape', async () => {
  const before = await kept();
  const send = (path: string, body: string | Buffer, headers: Record<string, string> = {}) => {
    const timestamp = seconds();
    return server.request
      .post(`/slack/${stage.instance}/${path}`)
      .set({ 'X-Slack-Request-Timestamp': String(timestamp), ...headers })
      .set('X-Slack-Signature', signatureOf(slack.signingSecret, timestamp, body.toString()))
      .type('application/x-www-form-urlencoded')
      .send(body);
  };
  const large = `text=${'x'.repeat(256 * 1_024)}`;
  const team = `team_id=T000000001`;
  const bare =
    'payload=' +
    encodeURIComponent(
      '{"team":{"id":"T000000001"},"type":"block_actions","actions":[{"action_id":"report"}]}',
    );
  for (const path of ['commands', 'interactions']) {
    expectRefusal(await send(path, large), 413, { code: 'too_large' });
    const compressed = await send(path, gzipSync('text=x'), { 'Content-Encoding': 'gzip' });
    expectRefusal(compressed, 415, { code: 'unsupported_media_type' });
    const answer = await server.request.get(`/slack/${stage.instance}/${path}`);
    expect([answer.status, answer.headers.allow]).toEqual([405, 'POST']);
  }
  const user = `${team}&user_id=U1&trigger_id=1`;
  for (const body of [team, user, `${user}&response_url=nowhere`, `${user}&response_url=`])
    expectRefusal(await send('commands', body), 400, { code: 'invalid', error: 'The request is malformed' });
  for (const body of ['', 'payload=', 'payload={', 'payload=null', 'payload=7', bare])
    expectRefusal(await send('interactions', body), 400, {
      ...{ code: 'invalid', error: 'The request is malformed' },
    });
  expect(await kept()).toEqual(before);
});

test('while the database is away a command is told that nothing was created, and a press that it did not count', async () => {
  const database = await createDatabase();
  const proxy = await startDatabaseProxy(database);
  const away = await startServer({ role: 'api', env: { DATABASE_URL: proxy.url } });
  const instance = await connectSlack({ ...away, db: database.db }, slack);
  const at = stage.at({ instance, server: away });
  proxy.cut();
  const [command, pressed] = await Promise.all(both(at, away));
  expect([command!.status, command!.body]).toEqual([
    200,
    {
      response_type: 'ephemeral',
      text: 'Nothing was created: this server cannot reach its database just now. Try again in a few minutes.',
    },
  ]);
  expectRefusal(pressed!, 503, { code: 'unavailable' });
  proxy.mend();
  await until(async () => (await away.request.get('/readyz')).status === 200, 'the database to be back');
  expect(await database.db.selectFrom('events').select('id').execute()).toEqual([]);
  expect((await sendCommand(slack, at, `<@${slack.users.ada}> reset`)).text).toMatch(/will be asked/);
  await away.close();
  await proxy.close();
  await database.close();
});
