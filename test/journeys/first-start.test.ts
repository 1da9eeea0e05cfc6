import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import supertest from 'supertest';
import { startChild } from '../support/child.ts';
import type { Child } from '../support/child.ts';
import { runProcess } from '../support/cli.ts';
import { createPerson } from '../support/person.ts';
import type { Created } from '../support/server.ts';
import { startSink } from '../support/sink.ts';

/** Nothing configured but where the state lives: what a newcomer has. */
describe('with nothing configured', () => {
  let folder: string;
  let settings: { DATA_DIR: string; PORT: string };
  const children: Child[] = [];
  const start = async (): Promise<Child> => {
    const child = await startChild(settings);
    children.push(child);
    return child;
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-first-'));
    // As in an ordinary checkout: the account the database runs under may pass through.
    chmodSync(folder, 0o755);
    settings = { DATA_DIR: join(folder, 'data'), PORT: '0' };
  });
  afterAll(async () => {
    for (const child of children) await child.kill();
    // The database notices at once that nobody is left, and ends.
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  });

  let apiKey = '';
  let created: Created;

  test('the first start prints a key, and a curl line that works when pasted', async () => {
    const child = await start();
    apiKey = /API key +(cs_test_\S+)/.exec(child.output())?.[1] ?? '';
    const line = /^ *(curl .+)$/m.exec(child.output())?.[1] ?? '';
    created = JSON.parse(
      execFileSync('bash', ['-c', line], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    ) as Created;
    expect(created).toMatchObject({ status: 'initiated' });
    expect(created.verification_url).toContain(`${child.url}/challenge/start/`);
  });

  test('its state is for its owner alone', () => {
    expect(statSync(join(settings.DATA_DIR, 'encryption.key')).mode & 0o077).toBe(0);
    expect(statSync(settings.DATA_DIR).mode & 0o077).toBe(0);
  });

  test('after kill -9, the next start keeps everything and prints no key', async () => {
    await children[0]?.kill();
    const child = await start();
    expect(child.output()).not.toContain('cs_test_');
    const read = await supertest(child.url)
      .get(`/api/v1/challenges/${created.challenge_id}`)
      .set('X-API-Key', apiKey);
    expect(read.body).toMatchObject({ status: 'initiated', context: 'Password reset, ticket 4711' });
  });

  test('commands and a second server work beside it, and both servers see the same', async () => {
    const second = await start();
    const listed = await runProcess(['integration', 'list', '--json'], settings);
    expect(listed.json.integrations).toMatchObject([{ name: 'First steps', mode: 'test' }]);
    const read = await supertest(second.url)
      .get(`/api/v1/challenges/${created.challenge_id}`)
      .set('X-API-Key', apiKey);
    expect(read.status).toBe(200);
    expect((await second.stop()).exitCode).toBe(0);
    expect((await supertest(children[1]?.url ?? '').get('/readyz')).status).toBe(200);
  });

  test('test mode may call back to this machine over http, live mode may not', async () => {
    const sink = await startSink();
    const url = children[1]?.url ?? '';
    const create = (key: string, callback_url: string) =>
      supertest(url)
        .post('/api/v1/challenges')
        .set('X-API-Key', key)
        .send({ target_user_id: 'u1', callback_url });
    const answer = await create(apiKey, sink.url);
    const person = createPerson({ url });
    await person.start(answer.body as Created);
    await person.decide(answer.body as Created, 'approve');
    await sink.waitFor((answer.body as Created).challenge_id);
    await sink.close();

    const live = await runProcess(
      ['integration', 'create', '--name', 'Live', '--mode', 'live', '--json'],
      settings,
    );
    for (const refused of [
      sink.url,
      sink.url.replace('http:', 'https:'),
      'https://localhost/',
      'https://[::1]/',
    ]) {
      expect((await create(String(live.json.api_key), refused)).body).toMatchObject({
        code: 'invalid',
        field: 'callback_url',
      });
    }
    expect((await create(apiKey, 'http://192.168.1.1/')).status).toBe(400);
  });
});
