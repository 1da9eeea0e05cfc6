import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isoTime } from '../../src/challenges/present.ts';
import { saveTenantMode } from '../../src/tenants/modes-store.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import { insertInbound, insertRefusal } from '../support/inbound.ts';
import { expectRefusal } from '../support/refusal.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { startVeriffStory } from '../support/veriff-story.ts';

const PATH = '/api/v1/provider-accounts';
const NOBODY = '00000000-0000-4000-8000-000000000000';
const SETTINGS = { api_key: 'key-4711', shared_secret: 'secret-4712', base_url: 'https://veriff.example' };

type Account = { account_id: string; provider: string; is_default: boolean };
type Line = { webhook_id: string; outcome: string; copies: number; challenge_id: string | null };
type Page<T> = { data: T[]; next_cursor?: string | null };

const get = ({ request, apiKey }: TestServer, path = '', key = apiKey) =>
  request.get(`${PATH}${path}`).set('X-API-Key', key);
const read = async <T>(server: TestServer, path = '', key?: string): Promise<Page<T>> =>
  (await get(server, path, key).expect(200)).body as Page<T>;

// Without a worker: nothing is handled, so a log stays as it is written here.
let server: TestServer;
let tenantId: string;
let account: string;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
  tenantId = (await findFirstTenant(server.db))?.id ?? '';
  account = await server.provider('veriff', SETTINGS);
});
afterAll(() => server.close());

/** An account of a tenant of its own, and a key of that tenant. */
async function elsewhere() {
  const { tenant_id, apiKey } = await server.integration({ newTenant: true });
  return { apiKey, tenant_id, account: await server.provider('veriff', SETTINGS, { tenant_id }) };
}

describe('the accounts', () => {
  test("are those of the key's tenant and mode, oldest first, without any secret", async () => {
    const { apiKey } = await elsewhere();
    await server.provider('veriff', SETTINGS, { mode: 'live' });
    const berbix = await server.provider('berbix', { api_secret: 'secret-4713' });
    const answer = await get(server).expect(200);
    const common = {
      ...{ mode: 'test', allowed_ips: [], previous_until: null },
      ...{ created_at: expect.any(String), updated_at: expect.any(String) },
    };
    const urlOf = (provider: string, id: string) => `${server.url}/webhooks/${provider}/${id}`;
    expect(answer.body).toEqual({
      data: [
        {
          ...{ ...common, account_id: account, provider: 'veriff', is_default: true },
          webhook_url: urlOf('veriff', account),
        },
        {
          ...{ ...common, account_id: berbix, provider: 'berbix', is_default: false },
          webhook_url: urlOf('berbix', berbix),
        },
      ],
    });
    expect(answer.text).not.toMatch(/471[123]|sealed/);
    const others = await read<Account>(server, '', apiKey);
    expect(others.data.map(({ account_id }) => account_id)).not.toContain(account);
  });

  test('say which is used by challenges that name none: the chosen one, or none when that is the sandbox', async () => {
    const defaults = async () =>
      (await read<Account>(server)).data.filter((one) => one.is_default).map(({ provider }) => provider);
    const choose = (default_provider: string | null) =>
      saveTenantMode(server.db, tenantId, 'test', { default_provider });
    expect(await defaults()).toEqual(['veriff']);
    // Whoever has just asked is known for a moment with what was chosen before.
    await choose('berbix');
    await until(async () => (await defaults()).join() === 'berbix', 'the choice to be noticed');
    await choose('sandbox');
    await until(async () => (await defaults()).length === 0, 'the sandbox to be noticed');
    await choose(null);
  });

  test('show what is allowed, and until when the settings before these are taken', async () => {
    const { apiKey, account: id } = await elsewhere();
    const change = (previous_until: Date) =>
      server.db
        .updateTable('provider_accounts')
        .set({ allowed_ips: ['192.0.2.0/24'], previous_until, previous_sealed: 'before' })
        .where('id', '=', id)
        .execute();
    const soon = new Date(Date.now() + 60_000);
    await change(soon);
    const shown = { allowed_ips: ['192.0.2.0/24'], previous_until: isoTime(soon) };
    expect((await read(server, '', apiKey)).data).toEqual([expect.objectContaining(shown)]);
    await change(new Date(Date.now() - 1));
    expect((await read(server, '', apiKey)).data).toEqual([
      expect.objectContaining({ previous_until: null }),
    ]);
  });
});

describe('the log of an account', () => {
  test('tells the story of real webhooks: what came, from where, how often and what became of it', async () => {
    const story = await startVeriffStory();
    try {
      const { veriff } = story;
      const { id, session } = await story.begin();
      const other = await story.begin();
      await veriff.tell(session, 'started');
      veriff.behave({ copies: 2 });
      await veriff.decide(session, 'approved');
      veriff.behave();
      expect(await veriff.send('not signed with our secret', { secret: 'wrong' })).toEqual([401]);
      await veriff.tell({ ...session, id: 'nobody-knows-me' }, 'started');
      await story.outcomes(session);
      await until(async () => {
        const { tries } = (await newest(story.server, story.accountId)) ?? {};
        return tries === 1;
      }, 'the unknown session to be parked');

      const path = `/${story.accountId}/webhooks`;
      const { data } = await read<Line>(story.server, path);
      const line = {
        ...{ webhook_id: expect.any(String), received_at: expect.any(String) },
        ...{ last_received_at: expect.any(String), address: '127.0.0.1', copies: 1, reason: null },
      };
      const about = { challenge_id: id, session_id: session.id };
      const handled = { ...about, handled_at: expect.any(String), body_kept: true };
      expect(data).toEqual([
        {
          ...{ ...line, kind: 'event', outcome: 'received', body_kept: true },
          ...{ challenge_id: null, session_id: 'nobody-knows-me', handled_at: null },
        },
        {
          ...{ ...line, kind: 'refused', outcome: 'refused', reason: 'not_authentic', body_kept: false },
          ...{ challenge_id: null, session_id: null, handled_at: expect.any(String) },
        },
        { ...line, ...handled, kind: 'decision', outcome: 'applied', copies: 2 },
        { ...line, ...handled, kind: 'event', outcome: 'recorded' },
      ]);
      const outcomes = async (query: string) =>
        (await read<Line>(story.server, `${path}?${query}`)).data.map(({ outcome }) => outcome);
      expect(await outcomes('outcome=received')).toEqual(['received']);
      expect(await outcomes('outcome=refused')).toEqual(['refused']);
      expect(await outcomes('outcome=duplicate')).toEqual(['applied']);
      expect(await outcomes(`challenge_id=${id}`)).toEqual(['applied', 'recorded']);
      expect(await outcomes(`challenge_id=${id.toUpperCase()}&outcome=recorded`)).toEqual(['recorded']);
      expect(await outcomes(`challenge_id=${other.id}`)).toEqual([]);
    } finally {
      await story.close();
    }
  });

  test('comes newest first, page after page, each line once', async () => {
    const { apiKey, account: id } = await elsewhere();
    const made: string[] = [];
    for (let i = 0; i < 5; i += 1) made.unshift(await insertInbound(server.db, id));
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Page<Line> = await read<Line>(
        server,
        `/${id}/webhooks?limit=2${cursor && `&cursor=${cursor}`}`,
        apiKey,
      );
      expect(page.data.length).toBeGreaterThan(0);
      seen.push(...page.data.map(({ webhook_id }) => webhook_id));
      cursor = page.next_cursor ?? null;
    }
    expect(seen).toEqual(made);
  });

  test('is found by every outcome there is, and by nothing else', async () => {
    const { apiKey, account: id } = await elsewhere();
    const handled = ['applied', 'recorded', 'no_effect', 'stale', 'too_late', 'other_challenge'];
    const outcomes = [...handled, 'unknown_session', 'unconfirmed', 'erased'];
    for (const outcome of outcomes) await insertInbound(server.db, id, { outcome });
    await insertRefusal(server.db, id);
    await insertInbound(server.db, id, { handled_at: null, outcome: null, next_try_at: new Date() });
    for (const outcome of [...outcomes, 'refused', 'received']) {
      const { data } = await read<Line>(server, `/${id}/webhooks?outcome=${outcome}`, apiKey);
      expect(data.map((line) => line.outcome)).toEqual([outcome]);
    }
    expect((await read(server, `/${id}/webhooks?outcome=duplicate`, apiKey)).data).toEqual([]);
  });

  test.each([
    ['outcome=lost', 'outcome', 'outcome must be one of received, applied'],
    ['outcome=', 'outcome', 'outcome must be one of'],
    ['outcome=stale&outcome=refused', 'outcome', 'outcome must be one of'],
    ['challenge_id=4711', 'challenge_id', 'challenge_id must be an id (a UUID)'],
    ['limit=0', 'limit', 'limit must be a whole number from 1 to 100'],
    ['limit=101', 'limit', 'limit must be a whole number from 1 to 100'],
    ['cursor=x', 'cursor', 'cursor must be the next_cursor of an earlier page'],
    ['chalenge_id=x', 'chalenge_id', 'unknown field; use outcome, challenge_id, limit, cursor'],
  ])('refuses ?%s', async (query, field, error) => {
    const answer = await get(server, `/${account}/webhooks?${query}`);
    expectRefusal(answer, 400, { code: 'invalid', field });
    expect((answer.body as { error: string }).error).toContain(error);
  });

  test('is nobody else’s: another tenant’s, another mode’s and no account at all are the same 404', async () => {
    const live = await server.provider('veriff', SETTINGS, { mode: 'live' });
    const { account: foreign } = await elsewhere();
    for (const id of [live, foreign, NOBODY, 'x', '%00'])
      expectRefusal(await get(server, `/${id}/webhooks`), 404, {
        code: 'not_found',
        error: 'Provider account not found',
      });
  });
});

describe('both', () => {
  test.each([
    ['a key without the scope', { scopes: ['challenges:create'], own_only: false }, /scope challenges:read/],
    ['a key that sees its own only', { scopes: ['challenges:read'], own_only: true }, /without --own-only/],
  ])('refuse %s with the cure', async (_name, rights, cure) => {
    const { apiKey } = await server.integration({ rights });
    for (const path of ['', `/${account}/webhooks`]) {
      const answer = await get(server, path, apiKey);
      expectRefusal(answer, 403, { code: 'forbidden' });
      expect((answer.body as { error: string }).error).toMatch(cure);
    }
  });

  test('refuse whoever has no key, and any other method', async () => {
    for (const path of ['', `/${account}/webhooks`]) {
      await server.request.get(`${PATH}${path}`).expect(401);
      await server.request.post(`${PATH}${path}`).expect(405).expect('Allow', 'GET, HEAD');
    }
  });
});

function newest({ db }: TestServer, accountId: string) {
  return db
    .selectFrom('inbox')
    .selectAll()
    .where('provider_account_id', '=', accountId)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
}
