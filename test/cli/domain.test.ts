import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runCli } from '../support/cli.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

describe('allowed domains on the command line', () => {
  let server: TestServer;
  const domain = (...args: string[]) => runCli(['domain', ...args, '--json'], server.settings);
  const add = (text: string, mode = 'test') => domain('add', '--domain', text, '--mode', mode);
  const remove = (text: string, mode = 'test') => domain('remove', '--domain', text, '--mode', mode);
  const wishing = async (return_url: string) => {
    const answer = await server.request
      .post('/api/v1/challenges')
      .set('X-API-Key', server.apiKey)
      .send({ target_user_email: 'ada@example.com', return_url });
    return answer.status;
  };
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.close());

  test('a domain is kept in one form, holds for its mode alone, and holds at once', async () => {
    expect(await wishing('https://www.example.com/done')).toBe(400);
    const added = await add('HTTPS://WWW.Example.com:443/');
    expect(added).toMatchObject({
      code: 0,
      json: {
        mode: 'test',
        domain: 'https://www.example.com',
        allowed_domains: ['https://www.example.com'],
      },
    });
    expect(await wishing('https://www.example.com/done')).toBe(201);
    expect((await domain('list')).json).toEqual({ test: ['https://www.example.com'], live: [] });
    expect((await add('https://*.example.com', 'live')).code).toBe(0);
    const shown = await runCli(['domain', 'list'], server.settings);
    expect(shown.stdout).toBe('test mode\n  https://www.example.com\nlive mode\n  https://*.example.com\n');
  });

  test('adding it again changes nothing, and removing it ends it at once', async () => {
    await add('https://again.example');
    expect((await add('https://again.example/')).json).toMatchObject({
      allowed_domains: ['https://www.example.com', 'https://again.example'],
    });
    const removed = await remove('https://AGAIN.example');
    expect(removed.json).toMatchObject({ allowed_domains: ['https://www.example.com'] });
    expect(await wishing('https://again.example/')).toBe(400);
    expect(await remove('https://again.example')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is not on the list of test mode; see `countersign domain list`'),
    });
  });

  test.each([
    ['http://shop.example', 'live', 'must begin with https:// in live mode'],
    ['https://shop.example; script-src *', 'test', 'a scheme and a host'],
    ['https://shop.example', 'both', '--mode must be test or live'],
  ])('%s in %s mode is refused with the cure', async (text, mode, cure) => {
    const refused = await add(text, mode);
    expect(refused.code).toBeGreaterThan(0);
    expect(refused.stderr).toContain(cure);
    const rows = await server.db.selectFrom('tenant_modes').select('allowed_domains').execute();
    expect(rows.flatMap((row) => row.allowed_domains).join(' ')).not.toContain('shop.example');
  });

  test('several commands at once all count, up to the limit', async () => {
    const names = ['a', 'b', 'c'].map((name) => `http://${name}.localhost:*`);
    const codes = await Promise.all(names.map(async (name) => (await add(name)).code));
    expect(codes).toEqual([0, 0, 0]);
    const { allowed_domains } = await server.db
      .selectFrom('tenant_modes')
      .select('allowed_domains')
      .where('mode', '=', 'test')
      .executeTakeFirstOrThrow();
    expect(allowed_domains).toEqual(expect.arrayContaining(names));

    const many = Array.from({ length: 50 }, (_, index) => `https://shop-${index}.test`);
    await server.db.updateTable('tenant_modes').set({ allowed_domains: many }).execute();
    const refused = await add('https://one-more.test');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('at most 50 domains') });
    expect((await add('https://shop-7.test')).code).toBe(0);
  });
});
