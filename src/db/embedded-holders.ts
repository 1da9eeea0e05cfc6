import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { aside, hasCode, type State } from './embedded-state.ts';

// Every process using the server holds the writing end of one FIFO; the watcher beside the server holds the reading
// end and sees its end exactly when the last holder is gone, however it went. The kernel does all the counting.

const { O_RDWR, O_RDONLY, O_WRONLY, O_NONBLOCK, O_NOFOLLOW } = fs.constants;
const ANSWER_LIMIT_MS = 3_000;
const ANSWER_POLL_MS = 10;

/** A FIFO only its launcher knows about yet: `hold` stays with us, `watched` is for the watcher's stdin. */
export type NewHolders = { path: string; hold: number; watched: number };

/**
 * The watcher: runs the server given as its arguments, answers rings by making the file `answers` grow, and asks for a
 * fast shutdown when no holder is left. First line of its output: the process id of the server.
 */
export const WATCH = `
trap '' HUP INT TERM
exec 3<&0 </dev/null
"$@" 3<&- >&2 &
server=$!
echo "$server"
exec >/dev/null
(
  while read -r ring; do echo >>answers; done
  kill -INT "$server"
) <&3 &
reader=$!
exec 3<&-
wait "$server"
status=$?
kill -KILL "$reader" 2>/dev/null
exit "$status"
`;

/** Opens a new FIFO at both ends, so that its reader can never see an end before there was a holder. */
export function createHolders({ dir, account }: State): NewHolders {
  const path = aside(join(dir, 'holders'));
  const made = spawnSync('mkfifo', ['-m', '600', path], { ...account, cwd: '/', encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`mkfifo ${path}: ${made.error?.message ?? made.stderr}`);
  // Opening one end alone waits for the other; opening both at once does not. It must not stay, though: while a
  // holder could also read, nobody could tell that the watcher is gone.
  const both = fs.openSync(path, O_RDWR);
  const watched = fs.openSync(path, O_RDONLY);
  const hold = fs.openSync(path, O_WRONLY);
  fs.closeSync(both);
  return { path, hold, watched };
}

/** Lets others find the server; it must be ready for them. */
export function publishHolders({ dir }: State, { path }: NewHolders): void {
  fs.renameSync(path, join(dir, 'holders'));
}

/** Becomes a holder of a running server and returns the hold; undefined when there is none, or it is on its way out. */
export async function joinHolders({ dir }: State): Promise<number | undefined> {
  const hold = openWriting(join(dir, 'holders'));
  if (hold === undefined) return undefined;
  // The watcher may have seen the end just before we came. An answer given while we hold proves that it has not.
  const before = countAnswers(dir);
  const deadline = Date.now() + ANSWER_LIMIT_MS;
  while (Date.now() < deadline && ring(hold)) {
    await sleep(ANSWER_POLL_MS);
    if (countAnswers(dir) > before) return hold;
  }
  fs.closeSync(hold);
  return undefined;
}

/** Gives a hold back; true when somebody else still has one. */
export function leaveHolders({ dir }: State, hold: number): boolean {
  fs.closeSync(hold);
  let reading: number | undefined;
  try {
    reading = fs.openSync(join(dir, 'holders'), O_RDONLY | O_NONBLOCK);
    // 0 is the end: no holder. A ring caught by mistake does no harm, it is repeated until answered.
    return fs.readSync(reading, Buffer.alloc(1)) > 0;
  } catch (error) {
    if (hasCode(error, 'EAGAIN')) return true;
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  } finally {
    if (reading !== undefined) fs.closeSync(reading);
  }
}

function openWriting(path: string): number | undefined {
  try {
    return fs.openSync(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENXIO')) return undefined; // never a server; nobody reading: no server any more
    throw error;
  }
}

function ring(hold: number): boolean {
  try {
    return fs.writeSync(hold, '\n') > 0;
  } catch (error) {
    if (hasCode(error, 'EPIPE')) return false;
    throw error;
  }
}

function countAnswers(dir: string): number {
  return fs.statSync(join(dir, 'answers'), { throwIfNoEntry: false })?.size ?? 0;
}
