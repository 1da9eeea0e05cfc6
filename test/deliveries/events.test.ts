import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { createIntegration } from '../../src/tenants/keys.ts';
import { updateIntegration } from '../../src/tenants/integrations-store.ts';
import { insertTenant } from '../../src/tenants/store.ts';
import { deliveriesOf, makeDue, nthAttempt, openSinks, settle } from '../support/deliveries.ts';
import { makeOverdue } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import type { Answer } from '../support/sink.ts';
import { until } from '../support/until.ts';

const OPERATIONS = [
  ...['endpoint.opened', 'endpoint.failing', 'endpoint.recovered', 'endpoint.disabled', 'endpoint.enabled'],
  ...['endpoint.gone', 'delivery.failing', 'delivery.dead', 'secret.rotated'],
];

/** Retries come when a test makes them due, also on a slow machine. */
const NEVER_BY_ITSELF = [3_600, 3_600, 3_600, 3_600];

let server: TestServer;
const sinks = openSinks();
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.close();
  await sinks.close();
});

const answering =
  (status: number): Answer =>
  (response) =>
    response.writeHead(status).end();

/** A tenant with an integration whose receiver misbehaves, and one that hears of it. Both have chosen to. */
async function openPair(answer: Answer) {
  const tenant_id = await insertTenant(server.db, 'Pair');
  const [receiver, usual, listener] = [await sinks.open(answer), await sinks.open(), await sinks.open()];
  const make = (name: string, callback_url: string, events: string[]) =>
    createIntegration(server.db, server.sealer, {
      ...{ tenant_id, name, mode: 'test', callback_url, events },
      retry_waits_s: NEVER_BY_ITSELF,
    });
  // Its own URL works, so that it could hear of itself.
  const failing = await make('Failing', usual.url, ['challenge.completed', ...OPERATIONS]);
  await make('Listening', listener.url, OPERATIONS);
  const heard = (type: string) => listener.received.filter(({ json }) => json.event_type === type);
  return {
    ...{ failing, receiver, usual, listener, heard },
    settle: () => settle(server, { callback_url: receiver.url }, failing.apiKey),
    waitFor: (type: string, n = 1) => until(() => heard(type)[n - 1], `${type}, ${n}`, 20_000),
    endpoint: () =>
      server.db
        .selectFrom('endpoints')
        .selectAll()
        .where('integration_id', '=', failing.integrationId)
        .where('origin', '=', new URL(receiver.url).origin)
        .executeTakeFirstOrThrow(),
  };
}

describe('events of challenges', () => {
  test('that were not chosen are recorded and not sent', async () => {
    const sink = await sinks.open();
    const { apiKey, integrationId } = await server.integration({ callback_url: sink.url });
    await updateIntegration(server.db, integrationId, { events: ['challenge.completed'] });
    const other = await server.integration({ callback_url: sink.url });
    const [deaf, hearing] = [await server.create({}, apiKey), await server.create({}, other.apiKey)];
    await makeOverdue(server.db, deaf.challenge_id);
    await makeOverdue(server.db, hearing.challenge_id);
    const heard = await sink.waitFor(hearing.challenge_id);
    expect(heard.json.event_type).toBe('challenge.expired');
    const recorded = () =>
      server.db
        .selectFrom('events')
        .select(['type', 'sequence'])
        .where('challenge_id', '=', deaf.challenge_id)
        .executeTakeFirst();
    expect(await until(recorded, 'the event')).toEqual({ type: 'challenge.expired', sequence: 1 });
    expect(await deliveriesOf(server.db, deaf.challenge_id)).toEqual([]);

    await sink.waitFor(await settle(server, {}, apiKey)); // what it chose does arrive
    expect(sink.of(deaf.challenge_id)).toEqual([]);
  });
});

describe('events about deliveries and endpoints reach the integration that chose them, never the one they are about', () => {
  test('410: endpoint.gone', async () => {
    const pair = await openPair(answering(410));
    const id = await pair.settle();
    const { json, headers } = await pair.waitFor('endpoint.gone');
    const endpoint = await pair.endpoint();
    expect(json).toEqual({
      event_type: 'endpoint.gone',
      event_id: headers['webhook-id'],
      occurred_at: expect.stringMatching(/^\d{4}-.*Z$/),
      mode: 'test',
      integration_id: pair.failing.integrationId,
      integration_name: 'Failing',
      endpoint_id: endpoint.id,
      origin: new URL(pair.receiver.url).origin,
      url: pair.receiver.url,
    });
    const dead = await pair.waitFor('delivery.dead');
    expect(dead.json).toMatchObject({ challenge_id: id, reason: 'gone', status_code: 410, attempts: 1 });
    expect(pair.usual.received).toEqual([]);
    expect(await deliveriesOf(server.db, id)).toMatchObject([{ status: 'dead', dead_reason: 'gone' }]);
  });

  test('the fourth failed attempt: delivery.failing', async () => {
    const pair = await openPair(answering(500));
    const id = await pair.settle();
    for (const n of [1, 2, 3]) {
      await makeDue(server.db, (await nthAttempt(server.db, id, n)).delivery.id);
      expect(pair.heard('delivery.failing')).toEqual([]);
    }
    const { delivery } = await nthAttempt(server.db, id, 4);
    const { json, headers } = await pair.waitFor('delivery.failing');
    expect(json).toMatchObject({
      ...{ event_id: headers['webhook-id'], failed_event_id: delivery.event_id },
      ...{ delivery_id: delivery.id, challenge_id: id },
      ...{ attempts: 4, status_code: 500, error_class: 'http_5xx' },
    });
    expect(pair.usual.received).toEqual([]);
  });

  test('out of attempts: delivery.dead, of one endpoint at most once an hour', async () => {
    const pair = await openPair(answering(500));
    await updateIntegration(server.db, pair.failing.integrationId, { retry_waits_s: [3_600] });
    const exhaust = async () => {
      const id = await pair.settle();
      await makeDue(server.db, (await nthAttempt(server.db, id, 1)).delivery.id);
      const { delivery } = await nthAttempt(server.db, id, 2);
      expect(delivery).toMatchObject({ status: 'dead', dead_reason: 'exhausted' });
      return id;
    };
    const first = await exhaust();
    const { json } = await pair.waitFor('delivery.dead');
    expect(json).toMatchObject({ challenge_id: first, reason: 'exhausted', attempts: 2 });
    await exhaust();
    const announced = () =>
      server.db
        .selectFrom('events')
        .innerJoin('deliveries', 'deliveries.event_id', 'events.id')
        .select('events.id')
        .where('type', '=', 'delivery.dead')
        .where('deliveries.url', '=', pair.listener.url)
        .execute();
    expect(await announced()).toHaveLength(1);
    const { id } = await pair.endpoint();
    await sql`update endpoints set dead_announced_at = dead_announced_at - interval '61 minutes' where id = ${id}`.execute(
      server.db,
    );
    const third = await exhaust();
    expect((await pair.waitFor('delivery.dead', 2)).json.challenge_id).toBe(third);
    expect(await announced()).toHaveLength(2);
    expect(pair.usual.received).toEqual([]);
  });

  test('the breaker: endpoint.opened once, and endpoint.recovered', async () => {
    const pair = await openPair(answering(500));
    for (let n = 0; n < 10; n += 1) await nthAttempt(server.db, await pair.settle(), 1);
    const { json } = await pair.waitFor('endpoint.opened');
    const { id, origin } = await pair.endpoint();
    expect(json).toMatchObject({ endpoint_id: id, origin, integration_name: 'Failing' });

    const reopen = async () => {
      const released = async () => (await pair.endpoint()).lease_token === null;
      await until(released, 'the end of the run');
      await sql`update endpoints set open_until = now() - interval '1 second' where id = ${id}`.execute(
        server.db,
      );
      await sql`update deliveries set next_attempt_at = now() - interval '1 second'
        where endpoint_id = ${id} and status = 'pending'`.execute(server.db);
    };
    await reopen();
    const failedAgain = async () => (await pair.endpoint()).opened_times === 2;
    await until(failedAgain, 'a failed probe');
    pair.receiver.answerWith(answering(200));
    await reopen();
    expect((await pair.waitFor('endpoint.recovered')).json).toMatchObject({ endpoint_id: id, origin });
    expect((await pair.endpoint()).open_until).toBeNull();
    expect(pair.heard('endpoint.opened')).toHaveLength(1);
    expect(pair.usual.received).toEqual([]);
  });

  test('nobody who chose it: nothing is recorded', async () => {
    const sink = await sinks.open(answering(410));
    const { apiKey, integrationId } = await server.integration({ newTenant: true });
    await updateIntegration(server.db, integrationId, { events: ['challenge.completed', ...OPERATIONS] });
    await nthAttempt(server.db, await settle(server, { callback_url: sink.url }, apiKey), 1);
    const recorded = await server.db
      .selectFrom('events')
      .innerJoin('integrations', 'integrations.tenant_id', 'events.tenant_id')
      .select('type')
      .where('integrations.id', '=', integrationId)
      .execute();
    expect(recorded).toEqual([{ type: 'challenge.completed' }]);
  });
});
