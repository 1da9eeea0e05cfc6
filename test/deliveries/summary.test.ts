import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { summarize } from '../../src/deliveries/store.ts';
import { newId } from '../../src/kernel/id.ts';
import { deliveriesOf, settle } from '../support/deliveries.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api' }); // nobody delivers
});
afterAll(() => server.close());

const set = (id: string, fields: { status: 'pending' | 'sending' | 'delivered' | 'dead'; at: Date }) => {
  const { status, at } = fields;
  const lease = status === 'sending' ? { lease_token: newId(), lease_until: at } : {};
  const end = status === 'delivered' || status === 'dead' ? { completed_at: at } : {};
  const due = status === 'pending' ? { next_attempt_at: at } : {};
  return server.db
    .updateTable('deliveries')
    .set({ lease_token: null, lease_until: null, status, ...lease, ...end, ...due })
    .where('id', '=', id)
    .execute();
};

test('the oldest delivery is one that waits or one whose lease has lapsed, never one that is done', async () => {
  const { db } = server;
  expect(await summarize(db)).toEqual({ oldest: null, dead: 0 });
  const ids: string[] = [];
  for (let n = 0; n < 2; n += 1) {
    const challenge = await settle(server, { callback_url: 'http://127.0.0.1:9/callback' });
    ids.push((await deliveriesOf(db, challenge))[0]?.id ?? '');
  }
  const [one = '', two = ''] = ids;
  const minutesAgo = (minutes: number) => new Date(Math.floor(Date.now() / 1_000) * 1_000 - minutes * 60_000);
  const [older, newer] = [minutesAgo(20), minutesAgo(10)];

  await set(one, { status: 'sending', at: older });
  await set(two, { status: 'pending', at: newer });
  expect(await summarize(db)).toEqual({ oldest: older, dead: 0 });
  await set(one, { status: 'sending', at: minutesAgo(-1) });
  expect(await summarize(db)).toEqual({ oldest: newer, dead: 0 });
  await set(one, { status: 'delivered', at: older });
  await set(two, { status: 'dead', at: older });
  expect(await summarize(db)).toEqual({ oldest: null, dead: 1 });
});
