import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { releaseOverdue } from '../../src/deliveries/hold-store.ts';
import { deliveriesOf } from './deliveries.ts';
import { startEngine } from './engine.ts';
import { createPerson, DEVICE } from './person.ts';
import { startServer } from './server.ts';
import type { Created, TestServer } from './server.ts';
import { startSink } from './sink.ts';

export const UNTOLD = { device_fingerprint: null, device_fingerprint_status: 'unavailable' };

/** A server that carries nothing, and a receiver: callbacks are let go and carried when a test says so. */
export async function openHeld() {
  const server = await startServer({ role: 'api', env: { ENCRYPTION_KEY: KEY.toString('hex') } });
  const sink = await startSink();
  const engine = startEngine(server.db, KEY);
  const { db } = server;
  const sendTo = (created: Created) => `/challenge/${created.challenge_id}/device`;
  return {
    server,
    db,
    sink,
    engine,
    sendTo,
    /** Somebody who has pressed Start and whose browser has told nothing. */
    async begin(wish: object = {}) {
      const created = await server.create({ callback_url: sink.url, ...wish });
      const person = createPerson(server);
      await person.press(created).expect(303);
      return { created, person };
    },
    /** The same, who has decided in the sandbox. */
    async end(decision = 'approve', wish: object = {}) {
      const begun = await this.begin(wish);
      await begun.person.decide(begun.created, decision).expect(303);
      return begun;
    },
    /** The one delivery of a challenge, and the bytes of its event. */
    deliveryOf: (created: Created) => deliveryOf(server, created),
    /** Ends the time for which the challenge's callback is held, by the database's clock alone. */
    async endHold({ challenge_id }: Created) {
      await sql`update deliveries set next_attempt_at = now() from events
        where events.id = event_id and challenge_id = ${challenge_id} and status = 'pending'`.execute(db);
    },
    /** Lets some seconds pass since the challenge ended. */
    async letPass({ challenge_id }: Created, seconds: number) {
      await sql`update challenges set completed_at = completed_at - make_interval(secs => ${seconds})
        where id = ${challenge_id}`.execute(db);
    },
    /** What the sweep does, and then the engine. */
    async carry(created: Created) {
      await releaseOverdue(db);
      for (const { endpoint_id } of await deliveriesOf(db, created.challenge_id))
        await engine.carry(endpoint_id);
      return sink.of(created.challenge_id);
    },
    async close() {
      await engine.close();
      await server.close();
      await sink.close();
    },
  };
}

const KEY = randomBytes(32);
export type Held = Awaited<ReturnType<typeof openHeld>>;

async function deliveryOf({ db }: TestServer, { challenge_id }: Created) {
  const { rows } = await sql<{
    id: string;
    endpoint_id: string;
    status: string;
    held: boolean;
    due_in_s: number;
    body: string | null;
  }>`
    select deliveries.id, endpoint_id, status, lane = 3 as held, body,
      extract(epoch from next_attempt_at - now())::float8 as due_in_s
    from deliveries join events on events.id = event_id where challenge_id = ${challenge_id}`.execute(db);
  const [only] = rows;
  if (!only || rows.length > 1) throw new Error(`${rows.length} deliveries`);
  return { ...only, json: JSON.parse(only.body ?? 'null') as Record<string, unknown> | null };
}

/** What becomes of `DEVICE` in the test's own client. */
export const FACTS = { ...DEVICE, browser: null, os: null, user_agent: null, ip: '127.0.0.1' };
