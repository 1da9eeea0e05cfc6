import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSealer } from '../../src/kernel/crypto.ts';
import { saveAccount } from '../../src/providers/store.ts';
import { API_KEY, approved, declined, SECRET, submitted } from '../fixtures/veriff/vectors.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const SETTINGS = { api_key: API_KEY, shared_secret: SECRET, base_url: 'https://veriff.example' };

// Behind one proxy, as it stands in front of the server in earnest: the last address it names is the client's.
let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api', env: { TRUST_PROXY: '1' } });
});
afterAll(() => server.close());

/** An account of a tenant of its own that takes webhooks from these networks only; none: from all. */
async function accountFor(...allowed_ips: string[]): Promise<string> {
  const { tenant_id } = await server.integration({ newTenant: true });
  const id = await server.provider('veriff', SETTINGS, { tenant_id });
  await server.db.updateTable('provider_accounts').set({ allowed_ips }).where('id', '=', id).execute();
  return id;
}

async function knock(
  account: string,
  { from, vector = approved, signature = vector.signature, method = 'POST' }: Knock = {},
): Promise<number> {
  const answer = await fetch(`${server.url}/webhooks/veriff/${account}`, {
    method,
    headers: {
      ...{ 'x-auth-client': API_KEY, 'x-hmac-signature': signature },
      ...(from === undefined ? {} : { 'x-forwarded-for': from }),
    },
    ...(method === 'GET' ? {} : { body: new Uint8Array(vector.body) }),
  });
  await answer.arrayBuffer();
  return answer.status;
}
type Knock = { from?: string; vector?: typeof approved; signature?: string; method?: string };

const linesOf = (account: string) =>
  server.db
    .selectFrom('inbox')
    .select(['kind', 'reason', 'copies', 'address', 'body_sealed'])
    .where('provider_account_id', '=', account)
    .orderBy('id')
    .execute();

describe('an account that names the networks of its webhooks', () => {
  test.each([
    ['203.0.113.7', ['203.0.113.7'], ['203.0.113.6', '203.0.113.8', '2001:db8::1']],
    ['198.51.100.0/29', ['198.51.100.0', '198.51.100.7'], ['198.51.100.8', '198.51.99.255']],
    ['0.0.0.0/0', ['192.0.2.1'], ['2001:db8::1']],
    ['2001:db8::7', ['2001:db8::7', '2001:0DB8:0:0:0:0:0:7'], ['2001:db8::8', '203.0.113.7']],
    ['2001:db8:aa00::/40', ['2001:db8:aaff::1'], ['2001:db8:ab00::1']],
  ])('%s takes them from there only', async (network, inside, outside) => {
    const account = await accountFor(network);
    for (const from of inside) expect([from, await knock(account, { from })]).toEqual([from, 200]);
    for (const from of outside) expect([from, await knock(account, { from })]).toEqual([from, 403]);
  });

  test('knows an IPv4 client that comes as an IPv6 address, and several networks', async () => {
    const account = await accountFor('203.0.113.0/24', '2001:db8::/32');
    for (const from of ['::ffff:203.0.113.9', '::ffff:cb00:7109', '2001:db8::9'])
      expect([from, await knock(account, { from })]).toEqual([from, 200]);
    expect(await knock(account, { from: '::ffff:203.0.112.9' })).toBe(403);
  });

  test('lets in nobody whose address cannot be told, and is not fooled by more addresses in front', async () => {
    const account = await accountFor('203.0.113.0/24');
    for (const from of ['unknown', '203.0.113.7:1234x', '203.0.113.7, 192.0.2.1'])
      expect([from, await knock(account, { from })]).toEqual([from, 403]);
    expect(await knock(account)).toBe(403);
    expect(await knock(account, { from: '192.0.2.1, 203.0.113.7' })).toBe(200);
  });

  test('says no before anything else, in its log too; a look with a browser is not a webhook', async () => {
    const account = await accountFor('203.0.113.7');
    expect(await knock(account, { from: '192.0.2.66' })).toBe(403);
    expect(await knock(account, { from: '192.0.2.66', signature: 'wrong' })).toBe(403);
    expect(await knock(account, { from: '192.0.2.66', method: 'GET' })).toBe(200);
    const lines = await linesOf(account);
    expect(lines.reduce((sum, { copies }) => sum + copies, 0)).toBe(2);
    for (const line of lines)
      expect(line).toMatchObject({ reason: 'address', address: '192.0.2.66', body_sealed: null });
  });
});

describe('a flood', () => {
  test('of refusals is a line for each reason and minute, and what is authentic still gets through', async () => {
    const account = await accountFor();
    const many = 300;
    const forged = () => knock(account, { signature: '0'.repeat(64) });
    const flood = Array.from({ length: many }, forged);
    for (const vector of [approved, submitted, declined]) expect(await knock(account, { vector })).toBe(200);
    for (const status of await Promise.all(flood)) expect(status).toBe(401);

    const lines = await linesOf(account);
    const refused = lines.filter(({ reason }) => reason !== null);
    expect(refused.length).toBeLessThanOrEqual(2); // it may go over the end of a minute
    expect(refused.reduce((sum, { copies }) => sum + copies, 0)).toBe(many);
    for (const line of refused) expect(line).toMatchObject({ kind: 'refused', reason: 'not_authentic' });
    const kept = lines.filter(({ reason }) => reason === null);
    expect(kept.map(({ kind }) => kind)).toEqual(['decision', 'event', 'decision']);
  });

  test('of the same webhook is one line, however many come at once', async () => {
    const account = await accountFor();
    const many = 100;
    const answers = await Promise.all(Array.from({ length: many }, () => knock(account)));
    for (const status of answers) expect(status).toBe(200);
    expect(await linesOf(account)).toEqual([expect.objectContaining({ kind: 'decision', copies: many })]);
  });

  test('is counted for its own account alone', async () => {
    const [one, other] = [await accountFor(), await accountFor()];
    await Promise.all([
      knock(one, { signature: 'x' }),
      knock(other),
      knock(one),
      knock(other, { signature: 'x' }),
    ]);
    for (const account of [one, other]) {
      const reasons = (await linesOf(account)).map(({ reason, copies }) => [reason, copies]);
      expect(reasons).toHaveLength(2);
      expect(reasons).toEqual(
        expect.arrayContaining([
          [null, 1],
          ['not_authentic', 1],
        ]),
      );
    }
  });
});

test('settings that were sealed with a lost key open nothing, and let nobody in', async () => {
  const { tenant_id } = await server.integration({ newTenant: true });
  const strange = createSealer([randomBytes(32)]);
  const place = { tenant_id, provider: 'veriff', mode: 'test' } as const;
  const account = await saveAccount(server.db, place, () =>
    strange.seal(JSON.stringify(SETTINGS), 'elsewhere'),
  );
  expect(await knock(account)).toBe(500);
  expect(await linesOf(account)).toEqual([]);
});
