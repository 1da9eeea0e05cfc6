import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import supertest from 'supertest';
import { startChild } from '../support/child.ts';
import type { Child } from '../support/child.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 120_000;
const BACK_MS = 15_000;

let folder: string;
let settings: { DATA_DIR: string; PORT: string };
const children: Child[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-bundled-'));
  chmodSync(folder, 0o755);
  settings = { DATA_DIR: join(folder, 'data'), PORT: '0' };
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await until(() => processes().length === 0, 'the end of the database');
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
});

async function start(): Promise<Child> {
  const child = await startChild(settings);
  children.push(child);
  return child;
}

const keyIn = (child: Child) => /API key +(cs_test_\S+)/.exec(child.output())?.[1] ?? '';

/** Whether a challenge can be created. */
const works = async ({ url }: Child, apiKey: string): Promise<boolean> => {
  const body = { target_user_email: 'ada@example.com' };
  const { status } = await supertest(url).post('/api/v1/challenges').set('X-API-Key', apiKey).send(body);
  return status === 201;
};

/** Everything that runs the bundled PostgreSQL in our directory: the server, and the watcher beside it. */
function processes(): string[] {
  const table = spawnSync('ps', ['-e', '-o', 'pid=,args='], { encoding: 'utf8' }).stdout;
  return table.split('\n').filter((line) => line.includes(join(settings.DATA_DIR, 'cluster')));
}

function killPostmaster(): void {
  const lock = readFileSync(join(settings.DATA_DIR, 'cluster/postmaster.pid'), 'utf8');
  process.kill(Number(lock.split('\n')[0]), 'SIGKILL');
}

const revivals = (child: Child) =>
  child.output().split('had stopped answering and was started again').length - 1;

test(
  'a killed bundled PostgreSQL comes back under the servers that use it, and goes with the last of them',
  async () => {
    const first = await start();
    const second = await start(); // it joined
    const apiKey = keyIn(first);
    for (let round = 1; round <= 2; round += 1) {
      killPostmaster();
      for (const child of [first, second]) {
        await until(() => works(child, apiKey), `an answer in round ${round}`, BACK_MS);
        await until(() => revivals(child) === round, `its line in the log in round ${round}`);
      }
    }

    expect(await first.stop()).toMatchObject({ exitCode: 0 });
    expect(await works(second, apiKey)).toBe(true);
    const { exitCode, tookMs } = await second.stop();
    expect(exitCode).toBe(0);
    expect(tookMs).toBeLessThan(15_000);
    await until(() => processes().length === 0, 'no process left behind');
  },
  LIMIT_MS,
);

test(
  'a server asked to stop just after its database was killed leaves nothing behind',
  async () => {
    const child = await start();
    killPostmaster();
    const { exitCode, tookMs } = await child.stop();
    expect({ exitCode, output: child.output() }).toMatchObject({ exitCode: 0 });
    expect(tookMs).toBeLessThan(15_000);
    await until(() => processes().length === 0, 'no process left behind');
  },
  LIMIT_MS,
);

test(
  'a clean stop raises no alarm',
  async () => {
    const child = await start();
    const apiKey = keyIn(child);
    // At once, so that there are many connections to part from.
    const all = await Promise.all(Array.from({ length: 30 }, () => works(child, apiKey)));
    expect(all).not.toContain(false);
    expect(await child.stop()).toMatchObject({ exitCode: 0 });
    expect(child.output()).not.toMatch(/"level":"(warn|error|fatal)"/);
  },
  LIMIT_MS,
);
