import { closeSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { findPackage, locateBinaries, type Binaries } from './embedded-binaries.ts';
import {
  connectionTo,
  ensureCluster,
  ensureDatabase,
  isAnswering,
  type Connection,
} from './embedded-cluster.ts';
import { createHolders, joinHolders, leaveHolders, publishHolders } from './embedded-holders.ts';
import { launchServer, logTail, readLock, waitGone, waitReady, type Lock } from './embedded-server.ts';
import { ensureSocketDir, prepareState, type State } from './embedded-state.ts';

/** A running bundled PostgreSQL, and this process's hold on it. */
export type EmbeddedPostgres = {
  /** For pg.Pool and BullMQ; `host` is the directory of the Unix socket. */
  connection: Connection;
  /** Where cluster, password and log really are: dataDir, or below /var/lib/countersign (see startEmbedded). */
  stateDir: string;
  /** Another process started it. Says nothing about how long it lives: all its users are equal. */
  adopted: boolean;
  /** Still this server, as far as its lock file says; another one in its place needs a hold of its own. */
  isCurrent(): boolean;
  /** Gives up this process's hold. The last one to do so stops the server and waits until it is gone. */
  stop(): Promise<void>;
};

const START_LIMIT_MS = 60_000;
const RETRY_MS = 100;

// Another starter has the cluster, or the remains of a server killed with -9 have not quite gone: worth another try.
const CLUSTER_TAKEN = /lock file .* (already exists|is empty)|shared memory block/;

/**
 * Starts the bundled PostgreSQL on a directory of its own, or joins the one already running there.
 *
 * It belongs to nobody: it runs until the last process using it has called stop() or ended, even by SIGKILL, so a
 * command that happened to start it may leave while others stay. As root it runs as nobody (uid 65534); if nobody
 * cannot reach dataDir, everything is kept in /var/lib/countersign/<hash of dataDir> instead. `signal` ends the trying.
 */
export async function startEmbedded(dataDir: string, signal?: AbortSignal): Promise<EmbeddedPostgres> {
  const packageDir = await findPackage();
  const state = prepareState(dataDir);
  const running = await adopt(state);
  if (running) return running;
  const binaries = locateBinaries(packageDir, state);
  await ensureCluster(state, binaries);
  const deadline = Date.now() + START_LIMIT_MS;
  const mayTry = () => Date.now() < deadline && !signal?.aborted;
  while (mayTry()) {
    const server = (await launch(state, binaries, deadline)) ?? (await adopt(state));
    if (server) return server;
    await sleep(RETRY_MS);
  }
  throw new Error(`Another PostgreSQL keeps ${state.dir} and cannot be joined. ${logTail(state)}`);
}

/** Joins a running server; undefined when there is none that will stay. */
async function adopt(state: State): Promise<EmbeddedPostgres | undefined> {
  const hold = await joinHolders(state);
  if (hold === undefined) return undefined;
  const lock = readLock(state);
  const server = lock && handle(state, lock, hold, true);
  if (server && (await isAnswering(server.connection))) return server;
  closeSync(hold); // it has just crashed, and its watcher has not noticed yet
  return undefined;
}

/** Runs a server of our own; undefined when another one has the cluster. */
async function launch(
  state: State,
  binaries: Binaries,
  deadline: number,
): Promise<EmbeddedPostgres | undefined> {
  const host = ensureSocketDir(state);
  const holders = createHolders(state);
  const launched = launchServer(state, binaries, host, holders.watched);
  try {
    const server = handle(state, await waitReady(state, launched, deadline), holders.hold, false);
    await ensureDatabase(server.connection);
    publishHolders(state, holders);
    return server;
  } catch (error) {
    closeSync(holders.hold); // and so the watcher stops whatever came up
    rmSync(holders.path, { force: true });
    const tail = logTail(state, launched.logStart);
    if (CLUSTER_TAKEN.test(tail)) return undefined;
    throw new Error(`The bundled PostgreSQL in ${state.dir} did not start. ${tail}`, { cause: error });
  }
}

function handle(state: State, { pid, host }: Lock, hold: number, adopted: boolean): EmbeddedPostgres {
  const leave = async () => {
    const othersStay = leaveHolders(state, hold);
    if (!othersStay) await waitGone(state, pid);
  };
  let left: Promise<void> | undefined;
  const stop = () => (left ??= leave());
  const isCurrent = () => readLock(state)?.pid === pid;
  return { connection: connectionTo(host, state), stateDir: state.dir, adopted, isCurrent, stop };
}
