import { describe, expect, test } from '@jest/globals';
import { runProcess } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { startDatabaseProxy } from '../support/database-proxy.ts';
import { freePort } from '../support/redis.ts';

const PASSWORD = 'do-not-print-me';
const away = { ENCRYPTION_KEY: 'ab'.repeat(32), PORT: '0', LOG_LEVEL: 'silent' };
const databaseAt = (place: string) => ({
  ...away,
  DATABASE_URL: `postgres://user:${PASSWORD}@${place}/countersign`,
});

describe('PostgreSQL that cannot be reached is named with the cure', () => {
  // A name with two addresses fails with two errors at once.
  test.each(['127.0.0.1', 'localhost'])('at %s, by every command', async (host) => {
    const place = `${host}:${await freePort()}`;
    for (const args of [['migrate'], ['integration', 'list'], ['doctor']]) {
      const ran = await runProcess(args, databaseAt(place));
      expect(ran.code).toBe(1);
      const said = args[0] === 'doctor' ? ran.stdout : ran.stderr;
      expect(said).toContain(`cannot connect to PostgreSQL at ${place} (connect ECONNREFUSED`);
      expect(said).toContain('check that it runs there and that DATABASE_URL is right');
      expect(ran.stdout + ran.stderr).not.toContain(PASSWORD);
      expect(ran.stderr.trim().split('\n').length).toBe(1);
    }
  });

  test('as one that refuses the password is', async () => {
    const database = await createDatabase();
    const proxy = await startDatabaseProxy({ connection: { ...database.connection, password: PASSWORD } });
    const ran = await runProcess(['migrate'], { ...away, DATABASE_URL: proxy.url });
    expect(ran).toMatchObject({ code: 1, stdout: '' });
    expect(ran.stderr).toMatch(
      /PostgreSQL at 127\.0\.0\.1:\d+ \(password authentication failed.*DATABASE_URL/,
    );
    expect(ran.stderr).not.toContain(PASSWORD);
    await proxy.close();
    await database.close();
  });
});

test('doctor names a Redis that cannot be reached, with the cure', async () => {
  const place = `127.0.0.1:${await freePort()}`;
  const env = { ...databaseAt('127.0.0.1:1'), REDIS_URL: `redis://user:${PASSWORD}@${place}` };
  const ran = await runProcess(['doctor'], env);
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain(`cannot connect to Redis at ${place} (connect ECONNREFUSED ${place})`);
  expect(ran.stdout).toContain('check that it runs there and that REDIS_URL is right');
  expect(ran.stdout + ran.stderr).not.toContain(PASSWORD);
});
