import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Binaries } from './embedded-binaries.ts';
import { CLEAN_ENVIRONMENT, PORT } from './embedded-cluster.ts';
import { WATCH } from './embedded-holders.ts';
import { hasCode, isAlive, type State } from './embedded-state.ts';

/** A server being started: its watcher, and where in the log its story begins. */
export type Launched = { watcher: ChildProcess; logStart: number };

/** From postmaster.pid: line 1 its process, line 5 the directory of its socket, line 8 its status. */
export type Lock = { pid: number; host: string; ready: boolean };

const POLL_MS = 15;
const STOP_LIMIT_MS = 60_000;
const LOG_LIMIT_BYTES = 10_000_000;
const LOG_TAIL_CHARACTERS = 2_000;

// Durability stays at its defaults (fsync and synchronous_commit on): losing nothing is the point of this product.
const SETTINGS = {
  listen_addresses: '', // the Unix socket is the only door
  unix_socket_permissions: '0700',
  max_connections: '200', // pools of several processes, and about five sessions for each queue worker
  timezone: 'UTC',
  log_timezone: 'UTC',
  jit: 'off', // its library is not in the package
  log_min_messages: 'log', // hides statement errors: the app gets those, and they may quote people's data
  log_checkpoints: 'off',
};

/** Starts the watcher, and through it the server. It lives as long as `watched` has a writer, not as long as we do. */
export function launchServer(
  state: State,
  { postgres }: Binaries,
  socketDir: string,
  watched: number,
): Launched {
  const log = openLog(state);
  const logStart = fs.fstatSync(log).size;
  const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = [postgres, '-D', clusterOf(state), '-k', socketDir, '-p', String(PORT), ...settings];
  const watcher = spawn('sh', ['-c', WATCH, 'sh', ...server], {
    ...state.account,
    cwd: state.dir,
    env: CLEAN_ENVIRONMENT,
    detached: true, // Ctrl-C in a terminal must reach the app alone, which then drains while it still has a database
    stdio: [watched, 'pipe', log],
  });
  watcher.unref(); // using a server keeps no process from ending
  fs.closeSync(watched);
  fs.closeSync(log);
  return { watcher, logStart };
}

/** Waits until the server of this watcher, not somebody else's on the same cluster, takes connections. */
export async function waitReady(state: State, { watcher }: Launched, deadline: number): Promise<Lock> {
  const seen: { end?: Error } = {};
  let said = '';
  watcher.once('error', (error) => (seen.end = error));
  watcher.once('exit', (code, signal) => (seen.end = new Error(`Ended with ${signal ?? `status ${code}`}.`)));
  watcher.stdout?.on('data', (text: Buffer) => (said += text.toString()));
  while (!seen.end && Date.now() < deadline) {
    const lock = readLock(state);
    if (lock?.ready && lock.pid === Number(said)) {
      watcher.stdout?.destroy();
      return lock;
    }
    await sleep(POLL_MS);
  }
  throw seen.end ?? new Error('Not ready in time.');
}

/** Reads what the server tells about itself, if there is one or was one until it crashed. */
export function readLock(state: State): Lock | undefined {
  try {
    const lines = fs.readFileSync(join(clusterOf(state), 'postmaster.pid'), 'utf8').split('\n');
    return { pid: Number(lines[0]), host: lines[4] ?? '', ready: lines[7]?.trim() === 'ready' };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Waits until a server nobody holds any more has ended. */
export async function waitGone(state: State, pid: number): Promise<void> {
  const deadline = Date.now() + STOP_LIMIT_MS;
  while (isAlive(pid)) {
    if (Date.now() > deadline)
      throw new Error(`PostgreSQL (process ${pid}) does not stop. ${logTail(state)}`);
    await sleep(POLL_MS);
  }
}

/** The last words in the log, of those written from `start` on. */
export function logTail(state: State, start = 0): string {
  const text = fs.readFileSync(logOf(state)).subarray(start).toString().trim();
  return `Its log, ${logOf(state)}, ends with:\n${text.slice(-LOG_TAIL_CHARACTERS)}`;
}

function openLog(state: State): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = fs.constants;
  const file = fs.openSync(logOf(state), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  const { uid, gid } = state.account;
  if (uid !== undefined && gid !== undefined) fs.fchownSync(file, uid, gid);
  if (fs.fstatSync(file).size > LOG_LIMIT_BYTES) fs.ftruncateSync(file);
  return file;
}

function clusterOf({ dir }: State): string {
  return join(dir, 'cluster');
}

function logOf({ dir }: State): string {
  return join(dir, 'server.log');
}
