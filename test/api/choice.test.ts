import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createIntegration } from '../../src/tenants/keys.ts';
import { saveTenantMode } from '../../src/tenants/modes-store.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api', env: HTTPS });
});
afterAll(() => server.close());

const SETTINGS = { api_key: 'k', shared_secret: 's', base_url: 'https://veriff.example' };

/** A new tenant with these providers set up in test mode, in this order. */
async function tenantWith(...names: string[]) {
  const made = await server.integration({ newTenant: true });
  for (const name of names) await server.provider(name, SETTINGS, { tenant_id: made.tenant_id });
  return made;
}

/** Another caller of this tenant; what is known of one is remembered for a second. */
async function newCaller(tenant_id: string, mode: 'test' | 'live' = 'test'): Promise<string> {
  const wish = { tenant_id, name: 'another caller', mode, callback_url: null };
  return (await createIntegration(server.db, server.sealer, wish)).apiKey;
}

async function ask(apiKey: string, body: object) {
  return server.request
    .post('/api/v1/challenges')
    .set('X-API-Key', apiKey)
    .send({ target_user_email: 'ada@example.com', ...body });
}

async function providerOf(apiKey: string, body: object = {}) {
  const { challenge_id } = await server.create({ ...body }, apiKey);
  return (await server.read(challenge_id, apiKey)).provider;
}

describe('the provider of a challenge', () => {
  test('is the one asked for, else the tenant’s default, else the one that was set up first', async () => {
    const { apiKey, tenant_id } = await tenantWith('berbix', 'veriff');
    expect(await providerOf(apiKey)).toBe('berbix');
    expect(await providerOf(apiKey, { provider: 'veriff' })).toBe('veriff');
    expect(await providerOf(apiKey, { provider: null })).toBe('berbix');

    const later = await tenantWith('berbix', 'veriff');
    await saveTenantMode(server.db, later.tenant_id, 'test', { default_provider: 'veriff' });
    expect(await providerOf(later.apiKey)).toBe('veriff');
    expect(await providerOf(later.apiKey, { provider: 'berbix' })).toBe('berbix');
    expect(tenant_id).not.toBe(later.tenant_id);
  });

  test('is frozen: what is set up or decided later holds for later challenges', async () => {
    const { apiKey, tenant_id } = await tenantWith();
    const providerNow = async ({ challenge_id }: { challenge_id: string }) =>
      (await server.read(challenge_id, apiKey)).provider;
    const first = await server.create({}, apiKey);
    await server.provider('berbix', SETTINGS, { tenant_id });
    await server.provider('veriff', SETTINGS, { tenant_id });
    const second = await server.create({}, await newCaller(tenant_id));
    await saveTenantMode(server.db, tenant_id, 'test', { default_provider: 'veriff' });
    expect(await providerOf(await newCaller(tenant_id))).toBe('veriff');
    expect(await providerNow(first)).toBeNull();
    const row = server.db
      .selectFrom('challenges')
      .select('provider')
      .where('id', '=', second.challenge_id)
      .executeTakeFirst();
    expect(await row).toEqual({ provider: 'berbix' });
  });

  test('may be the sandbox in test mode, also beside real ones', async () => {
    const { apiKey } = await tenantWith('veriff');
    expect(await providerOf(apiKey, { provider: 'sandbox' })).toBe('sandbox');
  });

  test('is refused where it is not set up, with the choices', async () => {
    const { apiKey } = await tenantWith('veriff');
    const answer = await ask(apiKey, { provider: 'berbix' });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      ...{ code: 'invalid', field: 'provider' },
      error: 'provider must be one that is set up for test mode: veriff, sandbox',
    });
    for (const provider of ['Veriff', 'toString', '__proto__', 'x'.repeat(300), 7, {}, ['veriff']]) {
      const refused = await ask(apiKey, { provider });
      expect(refused.status).toBe(400);
      expect(refused.body).toMatchObject({ code: 'invalid', field: 'provider' });
    }
  });

  test('belongs to the mode: what is set up for test mode is not there in live mode, nor the sandbox', async () => {
    const { apiKey, tenant_id } = await tenantWith('veriff');
    const live = await newCaller(tenant_id, 'live');
    for (const provider of ['veriff', 'sandbox']) {
      const refused = await ask(live, { provider });
      expect(refused.body).toMatchObject({ code: 'invalid', field: 'provider' });
      expect(String((refused.body as { error: unknown }).error)).toContain(
        'no provider is set up for live mode',
      );
    }
    expect(await providerOf(live)).toBeNull();
    await server.provider('berbix', SETTINGS, { tenant_id, mode: 'live' });
    expect(await providerOf(await newCaller(tenant_id, 'live'))).toBe('berbix');
    expect(await providerOf(await newCaller(tenant_id))).toBe('veriff');
    expect((await ask(apiKey, { provider: 'berbix' })).status).toBe(400);
  });

  test("belongs to the tenant: another's is not there", async () => {
    const { tenant_id } = await tenantWith('veriff');
    await server.provider('veriff', SETTINGS, { tenant_id, mode: 'live' });
    for (const mode of ['test', 'live'] as const) {
      const { apiKey } = await server.integration({ mode, newTenant: true });
      expect((await ask(apiKey, { provider: 'veriff' })).status).toBe(400);
    }
  });

  test('a default that was chosen for one mode does not reach the other', async () => {
    const live = await server.integration({ mode: 'live', newTenant: true });
    await server.provider('berbix', SETTINGS, { tenant_id: live.tenant_id, mode: 'live' });
    await server.provider('veriff', SETTINGS, { tenant_id: live.tenant_id, mode: 'live' });
    await saveTenantMode(server.db, live.tenant_id, 'test', { default_provider: 'veriff' });
    expect(await providerOf(live.apiKey)).toBe('berbix');
  });
});

describe('attempts', () => {
  test('are frozen at create', async () => {
    const { apiKey, tenant_id } = await tenantWith('veriff');
    await server.create({}, apiKey);
    await saveTenantMode(server.db, tenant_id, 'test', { provider_attempts: 3 });
    await server.create({}, await newCaller(tenant_id));
    const rows = await server.db
      .selectFrom('challenges')
      .select('provider_attempts')
      .where('tenant_id', '=', tenant_id)
      .orderBy('created_at')
      .execute();
    expect(rows).toEqual([{ provider_attempts: 1 }, { provider_attempts: 3 }]);
  });
});

describe('live mode', () => {
  test('asks for https all the way: with PUBLIC_URL in the clear nothing is created', async () => {
    const clear = await startServer({ role: 'api' });
    const { apiKey } = await clear.integration({ mode: 'live' });
    const answer = await clear.request
      .post('/api/v1/challenges')
      .set('X-API-Key', apiKey)
      .send({ target_user_email: 'ada@example.com' });
    expect(answer.status).toBe(503);
    expect(answer.body).toMatchObject({ code: 'unavailable' });
    expect(String((answer.body as { error: unknown }).error)).toContain('PUBLIC_URL');
    expect(await clear.db.selectFrom('challenges').selectAll().execute()).toEqual([]);
    await clear.create();
    await clear.close();
  });
});
