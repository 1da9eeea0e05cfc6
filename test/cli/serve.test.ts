import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import supertest from 'supertest';
import { startChild } from '../support/child.ts';
import type { Child } from '../support/child.ts';
import { runProcess } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { testEnv } from '../support/server.ts';

let database: TestDatabase;
let settings: ReturnType<typeof testEnv>;
const children: Child[] = [];
beforeEach(async () => {
  database = await createDatabase();
  settings = testEnv(database.url, undefined, randomBytes(32));
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await database.close();
});

async function start(env: Record<string, string>, ...more: string[]): Promise<Child> {
  const child = await startChild(env, 'all', ...more);
  children.push(child);
  return child;
}

describe('serve --json', () => {
  const lineOf = (child: Child) => JSON.parse(child.output()) as Record<string, string | null>;

  test('prints one line with all that a program needs to know, the key and the secret on the first start only', async () => {
    const first = await start(settings, '--json');
    const line = lineOf(first);
    expect(line).toEqual({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      public_url: line.url,
      ops_url: null,
      state_dir: null,
      queue: 'postgresql',
      api_key: expect.stringMatching(/^cs_test_/),
      webhook_secret: expect.stringMatching(/^whsec_/),
    });
    expect(first.output().trim().split('\n')).toHaveLength(1);
    await supertest(line.url ?? '')
      .get('/api/v1/challenges')
      .set('X-API-Key', line.api_key ?? '')
      .expect(200);
    expect(await first.stop()).toMatchObject({ exitCode: 0 });

    const second = await start({ ...settings, PUBLIC_URL: 'https://verify.example.com' }, '--json');
    expect(lineOf(second)).toEqual({
      url: second.url,
      ops_url: null,
      public_url: 'https://verify.example.com',
      state_dir: null,
      queue: 'postgresql',
    });
  });
});

describe('with another ENCRYPTION_KEY than the one that sealed the callback secrets', () => {
  const CURE = /ENCRYPTION_KEY does not open .* behind the new one, separated by a comma/;
  const otherKey = randomBytes(32).toString('hex');
  const changed = () => ({ ...settings, ENCRYPTION_KEY: otherKey });

  test('serve does not start and says what to do, which then helps', async () => {
    await (await start(settings)).stop();
    const refused = await runProcess(['serve'], changed());
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(CURE);
    const cured = await start({ ...settings, ENCRYPTION_KEY: `${otherKey},${settings.ENCRYPTION_KEY}` });
    await supertest(cured.url).get('/readyz').expect(200);
  });

  test('doctor says so, also without any provider account', async () => {
    await (await start(settings)).stop();
    const well = await runProcess(['doctor'], settings);
    expect(well.stdout).toMatch(/ok +encryption +the key opens 1 callback secret/);
    const sick = await runProcess(['doctor'], changed());
    expect(sick.code).toBe(1);
    expect(sick.stdout).toMatch(/fail +encryption/);
    expect(sick.stdout).toMatch(CURE);
  });
});
