import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cancel, openSinks } from '../support/deliveries.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

const sinks = openSinks();
let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.close();
  await sinks.close();
});

/** What the receiver gets for a challenge that was asked for with this header. */
async function headersAfter(traceparent: string) {
  const sink = await sinks.open();
  const answer = await server.request
    .post('/api/v1/challenges')
    .set('X-API-Key', server.apiKey)
    .set('traceparent', traceparent)
    .send({ target_user_email: 'ada@example.com', callback_url: sink.url })
    .expect(201);
  const made = answer.body as Created;
  await cancel(server, made);
  return (await sink.waitFor(made.challenge_id)).headers;
}

test('the trace of the request that asked for a challenge comes back with its callback', async () => {
  expect((await headersAfter(TRACEPARENT)).traceparent).toBe(TRACEPARENT);
});

test('a header that is no valid trace context is left out', async () => {
  expect((await headersAfter('00-zz-1-01')).traceparent).toBeUndefined();
});
