import { afterAll, expect, test } from '@jest/globals';
import { deliveriesOf, openSinks, settle } from '../support/deliveries.ts';
import { createDesk } from '../support/desk.ts';
import { startServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const sinks = openSinks();
afterAll(() => sinks.close());

test('a resend does not touch the schedule of a delivery that waits for its retry', async () => {
  const server = await startServer();
  const desk = createDesk(server);
  const sink = await sinks.open((response, _received, count) => {
    response.statusCode = count === 1 ? 500 : 200;
    response.end();
  });
  const { apiKey, integrationId } = await server.integration({ callback_url: sink.url });
  await server.db
    .updateTable('integrations')
    .set({ retry_waits_s: [3_600] })
    .where('id', '=', integrationId)
    .execute();
  const id = await settle(server, {}, apiKey);
  const [waiting] = await until(async () => {
    const found = await deliveriesOf(server.db, id);
    return found[0]?.attempts === 1 && found;
  }, 'the first attempt to fail');
  await desk.post(`/${waiting?.id}/resend`, {}, apiKey).expect(202);
  const [before, resent] = await until(async () => {
    const found = (await deliveriesOf(server.db, id)).sort((a, b) => a.id.localeCompare(b.id));
    return found[1]?.status === 'delivered' && found;
  }, 'the resend to arrive');
  expect(before).toEqual(waiting);
  expect(resent).toMatchObject({ trigger: 'resend', attempts: 1, lane: 1 });
  await server.close();
});

test('what is sent again while somebody disables the endpoint is sent or dead, and never lost', async () => {
  const server = await startServer({ role: 'api' });
  const desk = createDesk(server);
  const made = [];
  for (let i = 0; i < 6; i += 1) made.push(await desk.make());
  const endpoint = `/api/v1/endpoints/${made[0]?.endpoint_id}`;
  const disable = server.request.post(`${endpoint}/disable`).set('X-API-Key', server.apiKey);
  const [, ...answers] = await Promise.all([
    disable.expect(200),
    ...made.map(({ delivery_id }) => desk.post(`/${delivery_id}/resend`)),
  ]);
  for (const [index, { status }] of answers.entries()) {
    const [, resent] = await desk.ofEvent(made[index]?.event_id ?? '');
    expect([202, 409]).toContain(status);
    // Refused leaves nothing; accepted leaves a delivery that waits (the sweep buries it) or died of it at once.
    expect(resent?.status).toEqual(status === 409 ? undefined : expect.stringMatching(/^(pending|dead)$/));
    if (resent?.status === 'dead') expect(resent.dead_reason).toBe('endpoint_disabled');
  }
  await server.close();
});
