import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runCli } from '../support/cli.ts';
import { settle } from '../support/deliveries.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ env: HTTPS });
});
afterAll(() => server.close());

const erase = (...args: string[]) => runCli(['erase', ...args], server.settings);
const isErased = async (id: string, key = server.apiKey) => (await server.read(id, key)).erased_at !== null;

test('it counts first, and erases a person in both modes when told to', async () => {
  const target_user_email = 'ida@example.com';
  const live = await server.integration({ mode: 'live' });
  const foreign = await server.integration({ newTenant: true });
  const [one, two] = [
    await settle(server, { target_user_email }),
    await settle(server, { target_user_email }, live.apiKey),
  ];
  const theirs = await settle(server, { target_user_email }, foreign.apiKey);

  const counted = await erase('--target-email', 'IDA@example.com', '--json');
  expect(counted).toMatchObject({ code: 0, json: { dry_run: true, erasable: 2, open: 0 } });
  expect((await erase('--target-email', target_user_email)).stdout).toBe(
    'This would erase 2 challenges. Nothing was changed; add --yes to do it.\n',
  );
  expect([await isErased(one), await isErased(two, live.apiKey)]).toEqual([false, false]);

  const done = await erase('--target-email', target_user_email, '--yes', '--json');
  expect(done).toMatchObject({
    code: 0,
    json: { dry_run: false, erased: 2, open: 0, deliveries_canceled: 0 },
  });
  expect([await isErased(one), await isErased(two, live.apiKey)]).toEqual([true, true]);
  expect(await isErased(theirs, foreign.apiKey)).toBe(false);
  const trail = await server.db
    .selectFrom('audit_entries')
    .select('actor')
    .where('action', '=', 'erased')
    .execute();
  expect(trail).toEqual([{ actor: 'cli' }, { actor: 'cli' }]);

  const again = await erase('--target-email', target_user_email, '--yes');
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('There is nothing to erase') });
});

test('one challenge is erased by its id, once it has ended', async () => {
  const { challenge_id } = await server.create({ target_user_id: 'open' });
  const early = await erase('--challenge', challenge_id, '--yes');
  expect(early.code).toBe(1);
  expect(early.stdout).toContain('1 challenge still open: cancel first');
  expect(await isErased(challenge_id)).toBe(false);
  await server.request.post(`/api/v1/challenges/${challenge_id}/cancel`).set('X-API-Key', server.apiKey);
  expect((await erase('--challenge', challenge_id, '--yes')).stdout).toBe(
    'Erased 1 challenge; 0 waiting callbacks were canceled.\n',
  );
  expect(await isErased(challenge_id)).toBe(true);
});

test.each([
  [[], 'name what to erase: one of --challenge, --target-email and --target-id'],
  [
    ['--target-id', 'a', '--challenge', NOBODY],
    'name what to erase: one of --challenge, --target-email and --target-id',
  ],
  [['--challenge', 'a'], '--challenge is the id of a challenge; "a" is none'],
])('%j is refused', async (args, says) => {
  expect(await erase(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(says) });
});
