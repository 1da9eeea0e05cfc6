import { randomBytes } from 'node:crypto';
import supertest from 'supertest';
import { readConfig } from '../../src/config.ts';
import { createSealer } from '../../src/kernel/crypto.ts';
import { saveAccount, sealContext } from '../../src/providers/store.ts';
import { serve } from '../../src/serve.ts';
import type { Role } from '../../src/serve.ts';
import { createIntegration } from '../../src/tenants/keys.ts';
import { findFirstTenant, insertTenant } from '../../src/tenants/store.ts';
import type { KeyRights } from '../../src/tenants/store.ts';
import { createDatabase } from './database.ts';
import { startRedis } from './redis.ts';

export type Backend = 'postgres' | 'redis';
export const BACKENDS: readonly Backend[] = ['postgres', 'redis'];
type Options = { backend?: Backend; role?: Role; env?: Record<string, string> };

/** What live mode asks for; the server itself still listens on loopback. */
export const HTTPS = { PUBLIC_URL: 'https://verify.example.com' };

/** Settings for a server on this database; callbacks may reach loopback, where the tests' receivers are. */
export function testEnv(
  databaseUrl: string,
  redisUrl: string | undefined,
  key: Buffer,
  env: Record<string, string> = {},
) {
  return {
    DATABASE_URL: databaseUrl,
    ...(redisUrl ? { REDIS_URL: redisUrl } : {}),
    ENCRYPTION_KEY: key.toString('hex'),
    PORT: '0',
    LOG_LEVEL: 'silent',
    OUTBOUND_ALLOWED_CIDRS: '127.0.0.0/8',
    ...env,
  };
}

/** The real server in this process, on a database of its own, with a caller and a supertest client. */
export async function startServer({ backend = 'postgres', role = 'all', env = {} }: Options = {}) {
  const database = await createDatabase();
  const redis = backend === 'redis' ? await startRedis() : undefined;
  const key = randomBytes(32);
  const settings = testEnv(database.url, redis?.url, key, env);
  const running = await serve(readConfig(settings), role);
  const { apiKey = '', secret = '' } = running.firstStart ?? {};
  const sealer = createSealer([key]);
  const { db } = database;
  const request = supertest(running.url ?? '');

  return {
    url: running.url ?? '',
    request,
    db,
    database,
    redis,
    settings,
    sealer,
    apiKey,
    secret,
    /** Creates a challenge and returns the answer's body. */
    async create(body: Record<string, unknown> = {}, key_ = apiKey): Promise<Created> {
      const answer = await request
        .post('/api/v1/challenges')
        .set('X-API-Key', key_)
        .send({ target_user_email: 'ada@example.com', ...body });
      if (answer.status !== 201) throw new Error(`create answered ${answer.status}: ${answer.text}`);
      return answer.body as Created;
    },
    /** Reads a challenge. */
    async read(id: string, key_ = apiKey): Promise<Record<string, unknown>> {
      const answer = await request.get(`/api/v1/challenges/${id}`).set('X-API-Key', key_);
      return answer.body as Record<string, unknown>;
    },
    /** Another integration: of the same tenant, or of a new one. */
    async integration(
      wish: {
        mode?: 'test' | 'live';
        callback_url?: string | null;
        newTenant?: boolean;
        secret?: string;
        rights?: KeyRights;
      } = {},
    ) {
      const { mode = 'test', callback_url = null, newTenant = false, ...rest } = wish;
      const tenant_id = newTenant
        ? await insertTenant(db, 'Another')
        : ((await findFirstTenant(db))?.id ?? '');
      const name = `integration ${randomBytes(3).toString('hex')}`;
      return {
        tenant_id,
        ...(await createIntegration(db, sealer, { tenant_id, name, mode, callback_url, ...rest })),
      };
    },
    /** An account at a provider for the first tenant (or another); returns its id. */
    async provider(
      name: string,
      accountSettings: Record<string, string>,
      wish: { mode?: 'test' | 'live'; tenant_id?: string } = {},
    ) {
      const { mode = 'test', tenant_id = (await findFirstTenant(db))?.id ?? '' } = wish;
      const seal = (id: string) => sealer.seal(JSON.stringify(accountSettings), sealContext.settings(id));
      return saveAccount(db, { tenant_id, provider: name, mode }, seal);
    },
    async close() {
      await running.close();
      await redis?.close();
      await database.close();
    },
  };
}

export type TestServer = Awaited<ReturnType<typeof startServer>>;
export type Created = {
  challenge_id: string;
  verification_url: string;
  status: string;
  expires_at: string;
  verification_code: string;
  warnings?: string[];
};
