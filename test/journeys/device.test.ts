import { expect, test } from '@jest/globals';
import supertest from 'supertest';
import { deliveriesOf, makeDue } from '../support/deliveries.ts';
import { createPerson } from '../support/person.ts';
import { BACKENDS, startServer } from '../support/server.ts';
import type { Created } from '../support/server.ts';
import { startSink } from '../support/sink.ts';
import { withStage } from '../support/stage.ts';

const HOLD_MS = 10_000;
const LIMIT_MS = 60_000;

test.concurrent.each(BACKENDS)(
  'a callback waits ten seconds for a browser that never tells, and goes with one that does, queue on %s',
  async (backend) => {
    const server = await startServer({ backend });
    const sink = await startSink();
    try {
      const end = async () => {
        const created = await server.create({ callback_url: sink.url });
        const person = createPerson(server);
        await person.press(created).expect(303);
        await person.decide(created, 'approve').expect(303);
        return { created, person, endedAt: Date.now() };
      };
      const silent = await end();
      const slow = await end();
      expect(await server.read(slow.created.challenge_id)).toMatchObject({
        ...{ status: 'verified', device_fingerprint: null, device_fingerprint_status: 'pending' },
      });
      await slow.person.result(slow.created).expect(200);
      await slow.person.tell(slow.created).expect(204);
      const told = await sink.waitFor(slow.created.challenge_id);
      expect(told.json).toMatchObject({ device_fingerprint: { screen: '1920x1080' } });
      expect(sink.of(silent.created.challenge_id)).toHaveLength(0);

      const untold = await sink.waitFor(silent.created.challenge_id, 1, 20_000);
      expect(Date.now() - silent.endedAt).toBeGreaterThan(HOLD_MS - 500);
      expect(untold.json).toMatchObject({ status: 'verified', device_fingerprint: null });
      await silent.person.tell(silent.created).expect(409);
      expect(await server.read(silent.created.challenge_id)).toMatchObject({
        device_fingerprint_status: 'unavailable',
      });
      for (const { created } of [silent, slow]) expect(sink.of(created.challenge_id)).toHaveLength(1);
    } finally {
      await server.close();
      await sink.close();
    }
  },
  LIMIT_MS,
);

test.concurrent(
  'a callback that waits outlives the process that held it, told or not',
  () =>
    withStage('postgres', async (stage) => {
      const { apiKey, db, sink } = stage;
      const first = await stage.serve('api');
      const end = async () => {
        const answer = await supertest(first.url)
          .post('/api/v1/challenges')
          .set('X-API-Key', apiKey)
          .send({ target_user_email: 'ada@example.com' })
          .expect(201);
        const created = answer.body as Created;
        const person = createPerson(first);
        await person.press(created).expect(303);
        await person.decide(created, 'decline').expect(303);
        return { created, person };
      };
      const told = await end();
      const silent = await end();
      await told.person.tell(told.created).expect(204);
      await first.kill();

      const [waiting] = await deliveriesOf(db, silent.created.challenge_id);
      expect(waiting).toMatchObject({ status: 'pending', attempts: 0 });
      await makeDue(db, waiting?.id ?? '');
      await stage.serve('worker');
      const early = await sink.waitFor(told.created.challenge_id, 1, 20_000);
      expect(early.json).toMatchObject({
        status: 'failed',
        device_fingerprint: { timezone: 'Europe/Berlin' },
      });
      const late = await sink.waitFor(silent.created.challenge_id, 1, 20_000);
      expect(late.json).toMatchObject({ status: 'failed', device_fingerprint: null });
    }),
  LIMIT_MS,
);
