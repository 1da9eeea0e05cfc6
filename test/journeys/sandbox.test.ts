import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hmacHex } from '../../src/kernel/crypto.ts';
import { createPerson } from '../support/person.ts';
import { BACKENDS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { startSink } from '../support/sink.ts';

describe.each(BACKENDS)('from create to callback, queue on %s', (backend) => {
  let server: TestServer;
  let sink: Awaited<ReturnType<typeof startSink>>;
  beforeAll(async () => {
    server = await startServer({ backend });
    sink = await startSink();
  });
  afterAll(async () => {
    await server.close();
    await sink.close();
  });

  test('a person who approves makes the challenge verified and the callback arrives signed', async () => {
    const created = await server.create({
      context: 'Reset',
      callback_url: sink.url,
      metadata: { ticket: '4711' },
    });
    expect(created.status).toBe('initiated');
    const person = createPerson(server);
    await person.open(created).expect(200);
    expect((await server.read(created.challenge_id)).status).toBe('initiated');

    await person.start(created).expect(303).expect('Location', `/challenge/${created.challenge_id}/sandbox`);
    expect((await server.read(created.challenge_id)).status).toBe('in-progress');
    await person.decide(created, 'approve').expect(303);
    const read = await server.read(created.challenge_id);
    expect(read).toMatchObject({
      status: 'verified',
      auth_method: 'sandbox',
      is_expired: false,
      metadata: { ticket: '4711' },
    });

    const callback = await sink.waitFor(created.challenge_id);
    expect(callback.method).toBe('POST');
    expect(callback.headers['content-type']).toBe('application/json');
    expect(callback.headers['x-webhook-signature']).toBe(`sha256=${hmacHex(server.secret, callback.body)}`);
    expect(callback.json).toMatchObject({
      event_type: 'challenge.completed',
      status: 'verified',
      context: 'Reset',
    });
  });

  test.each([
    ['decline', 'declined', 'challenge.completed'],
    ['report', 'incident_reported', 'challenge.incident_reported'],
  ])('%s makes it failed as %s and sends %s', async (decision, failure_reason, event_type) => {
    const created = await server.create({ callback_url: sink.url });
    const person = createPerson(server);
    await person.start(created);
    await person.decide(created, decision).expect(303);
    const callback = await sink.waitFor(created.challenge_id);
    expect(callback.json).toMatchObject({ event_type, status: 'failed', failure_reason });
    expect(await server.read(created.challenge_id)).toMatchObject({ status: 'failed', failure_reason });
  });
});
