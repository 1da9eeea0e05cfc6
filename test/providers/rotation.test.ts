import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { untilServersNoticed } from '../../src/cli/rotation.ts';
import { berbix } from '../../src/providers/berbix.ts';
import type { Settings } from '../../src/providers/provider.ts';
import { saveAccount, sealContext } from '../../src/providers/store.ts';
import type { Place } from '../../src/providers/store.ts';
import { authHeaders } from '../../src/simulators/veriff-auth.ts';
import { signatureHeader } from '../../src/simulators/berbix-webhooks.ts';
import { encryptWebhook } from '../../src/simulators/passbase-codec.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const HOUR_MS = 3_600_000;
let number = 0;

type Shot = { body: string; headers: Record<string, string> };
type Case = { name: string; settings: (round: string) => Settings; shot: (settings: Settings) => Shot };

/** Each provider's settings in one round of a rotation, and a webhook that is authentic under them. */
const CASES: Case[] = [
  {
    name: 'veriff',
    settings: (round) => ({
      api_key: `key-${round}`,
      shared_secret: `secret-${round}`,
      base_url: 'https://v.example',
    }),
    shot: ({ api_key: apiKey = '', shared_secret: secret = '' }) => {
      const body = JSON.stringify({ id: `session-${(number += 1)}`, code: 7001, action: 'started' });
      return { body, headers: authHeaders({ apiKey, secret }, body) };
    },
  },
  {
    name: 'berbix',
    settings: (round) => ({
      ...{ api_secret: `secret_test_${round}`, template_key: 't', finished_secret: `whs_test_${round}` },
      ...{
        status_secret: `whs_test_status_${round}`,
        progress_secret: '',
        base_url: berbix.fields.base_url?.fallback ?? '',
      },
    }),
    shot: ({ finished_secret = '' }) => {
      const body = JSON.stringify({ transaction_id: (number += 1), action: 'accept' });
      return { body, headers: { 'x-berbix-signature': signatureHeader(finished_secret, body, new Date()) } };
    },
  },
  {
    name: 'passbase',
    settings: (round) => ({
      api_key: 'key',
      webhook_secret: round.padEnd(32, '0'),
      base_url: 'https://p.example',
    }),
    shot: ({ webhook_secret = '' }) => {
      const key = `5e8a1f6b-2c3d-4e5f-8a9b-${String((number += 1)).padStart(12, '0')}`;
      const hint = { event: 'IDENTITY_AUTHENTICATED', key, status: 'approved', updated: 1_767_265_200 };
      return { body: encryptWebhook(hint, webhook_secret), headers: { 'content-type': 'text/plain' } };
    },
  },
];

let server: TestServer;
let accounts: Awaited<ReturnType<typeof setUp>>[];
beforeAll(async () => {
  server = await startServer({ role: 'api' });
  accounts = await Promise.all(CASES.map(setUp));
});
afterAll(() => server.close());

/** A tenant's account at a provider, with its first settings. */
async function setUp({ name, settings, shot }: Case) {
  const { tenant_id } = await server.integration({ newTenant: true });
  const place: Place = { tenant_id, provider: name, mode: 'test' };
  const replaceBy = async (round: string, overlapMs = HOUR_MS) => {
    const seal = (id: string) =>
      server.sealer.seal(JSON.stringify(settings(round)), sealContext.settings(id));
    const id = await saveAccount(server.db, place, seal, { previousUntil: new Date(Date.now() + overlapMs) });
    await untilServersNoticed();
    return id;
  };
  const id = await replaceBy('first');
  /** Whether a webhook is taken that is authentic under the settings of this round. */
  const takes = async (round: string) => {
    const { body, headers } = shot(settings(round));
    const answer = await fetch(`${server.url}/webhooks/${name}/${id}`, { method: 'POST', headers, body });
    await answer.arrayBuffer();
    return answer.status === 200;
  };
  return { name, id, replaceBy, takes };
}

/** Does this at every provider at the same time, for each takes seconds until servers notice. */
async function expectOfAll<T>(work: (account: (typeof accounts)[number]) => Promise<T>, expected: T) {
  const all = await Promise.all(
    accounts.map(async (account) => [account.name, await work(account)] as const),
  );
  expect(all).toEqual(CASES.map(({ name }) => [name, expected]));
}

describe('while secrets are being replaced, at every provider', () => {
  test('nothing but the first is taken before', async () => {
    await expectOfAll(async ({ takes }) => [await takes('first'), await takes('second')], [true, false]);
  });

  test('both are taken at the same address until the overlap ends, then the new one alone', async () => {
    await expectOfAll(async ({ id, replaceBy }) => (await replaceBy('second')) === id, true);
    await expectOfAll(
      async ({ takes }) => [await takes('first'), await takes('second'), await takes('third')],
      [true, true, false],
    );
    await server.db
      .updateTable('provider_accounts')
      .set({ previous_until: new Date(Date.now() - 1) })
      .execute();
    await untilServersNoticed();
    await expectOfAll(async ({ takes }) => [await takes('first'), await takes('second')], [false, true]);
  });

  test('replaced once more, the one before the last is over at once', async () => {
    await expectOfAll(
      async ({ replaceBy, takes }) => {
        await replaceBy('first');
        await replaceBy('third');
        return [await takes('second'), await takes('first'), await takes('third')];
      },
      [false, true, true],
    );
  });

  test('without an overlap the old one ends at once', async () => {
    await expectOfAll(
      async ({ replaceBy, takes }) => {
        await replaceBy('second', 0);
        return [await takes('third'), await takes('second')];
      },
      [false, true],
    );
  });
});
