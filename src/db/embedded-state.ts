import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** The operating system account PostgreSQL runs under; empty when it is simply our own. */
export type Account = { uid?: number; gid?: number };

/** The private directory everything lives in: cluster, password, log, holders, often the socket. */
export type State = { dir: string; account: Account; password: string };

// PostgreSQL refuses to run as root. "nobody" exists everywhere and has the passwd entry initdb asks for.
const NOBODY = { uid: 65534, gid: 65534 };
const FALLBACK_DIR = '/var/lib/countersign';
// sockaddr_un ends at 104 bytes on macOS and 108 on Linux.
const SOCKET_PATH_LIMIT_BYTES = 90;
const PASSWORD_BYTES = 24;

/** Makes the state directory ready for use, with its password, and says where it is and who owns it. */
export function prepareState(dataDir: string): State {
  const dir = chooseDir(resolve(dataDir));
  makeParents(dirname(dir));
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  const account = accountFor(dir);
  refuseForeign(dir);
  own(dir, account);
  fs.chmodSync(dir, 0o700);
  sweep(dir);
  return { dir, account, password: ensurePassword(dir, account) };
}

/** A name no other starter uses, for what is built aside and then moved into place. */
export function aside(path: string): string {
  return `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
}

const ASIDE = /\.(\d+)-[0-9a-f]{8}$/;

/** Renames a finished directory; when another starter was faster, theirs stays and ours goes. */
export function moveIntoPlace(draft: string, place: string): void {
  try {
    fs.renameSync(draft, place);
  } catch (error) {
    fs.rmSync(draft, { recursive: true, force: true });
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  }
}

/** Gives a path to the account, when that is not our own. */
export function own(path: string, { uid, gid }: Account): void {
  if (uid !== undefined && gid !== undefined) fs.lchownSync(path, uid, gid);
}

/** A directory for the socket that only the account may enter and whose path is short enough. */
export function ensureSocketDir({ dir, account }: State): string {
  if (Buffer.byteLength(`${dir}/.s.PGSQL.5432`) < SOCKET_PATH_LIMIT_BYTES) return dir;
  // Not TMPDIR: root's may be closed to nobody, and the one of macOS is itself long.
  const short = `/tmp/countersign-${shortHash(dir)}`;
  try {
    fs.mkdirSync(short, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  // Anybody may create names in /tmp, so one that was there already proves nothing.
  const found = fs.lstatSync(short);
  const trusted = [account.uid, process.getuid?.()];
  if (!found.isDirectory() || !trusted.includes(found.uid) || (found.mode & 0o077) !== 0)
    throw new Error(
      `${short} was made by somebody else. Remove it, or choose a shorter data directory path.`,
    );
  own(short, account);
  return short;
}

/** Tells whether a process exists. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !hasCode(error, 'ESRCH');
  }
}

/** Tells whether a caught value is a system error with one of these codes. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  // Not instanceof: under Jest, errors of node:fs come from another realm.
  return codes.includes(String((error as { code?: unknown } | undefined)?.code));
}

function chooseDir(dataDir: string): string {
  if (process.getuid?.() !== 0 || hasCluster(dataDir)) return dataDir;
  const fallback = join(FALLBACK_DIR, shortHash(dataDir));
  return hasCluster(fallback) || !nobodyCanEnter(dirname(dataDir)) ? fallback : dataDir;
}

function hasCluster(dir: string): boolean {
  return fs.existsSync(join(dir, 'cluster'));
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function nobodyCanEnter(path: string): boolean {
  if (!fs.existsSync(path)) return nobodyCanEnter(dirname(path));
  return spawnSync('test', ['-x', path], NOBODY).status === 0;
}

function makeParents(path: string): void {
  if (fs.existsSync(path)) return;
  makeParents(dirname(path));
  fs.mkdirSync(path, { recursive: true });
  if (process.getuid?.() === 0) fs.chmodSync(path, 0o755); // whatever the umask: nobody has to pass through
}

function accountFor(dir: string): Account {
  const { uid, gid } = fs.statSync(dir);
  const self = process.getuid?.();
  // Root leaves the cluster of an ordinary user theirs, so that they can start it again.
  if (self === 0) return hasCluster(dir) && uid !== 0 ? { uid, gid } : NOBODY;
  if (uid !== self)
    throw new Error(
      `${dir} belongs to another user (uid ${uid}). Start as that user, or choose another directory.`,
    );
  return {};
}

/** Owner and mode of the directory are about to change, which a directory of somebody's files would not survive well. */
function refuseForeign(dir: string): void {
  const names = fs.readdirSync(dir).filter((name) => name !== 'lost+found');
  if (names.length > 0 && !names.some((name) => /^(cluster|password)/.test(name)))
    throw new Error(`${dir} holds other files. Give the bundled PostgreSQL a directory of its own.`);
}

/** Removes what starters that were killed had begun aside. */
function sweep(dir: string): void {
  for (const name of fs.readdirSync(dir)) {
    const starter = ASIDE.exec(name)?.[1];
    if (starter && !isAlive(Number(starter))) fs.rmSync(join(dir, name), { recursive: true, force: true });
  }
}

function ensurePassword(dir: string, account: Account): string {
  const file = join(dir, 'password');
  const needed = hasCluster(dir); // asked first: every cluster is younger than its password
  if (!fs.existsSync(file)) {
    if (needed) throw new Error(`${file} is missing. Restore it from your backup: the cluster asks for it.`);
    createPassword(file, account);
  }
  return fs.readFileSync(file, 'utf8');
}

function createPassword(file: string, account: Account): void {
  const draft = aside(file);
  fs.writeFileSync(draft, randomBytes(PASSWORD_BYTES).toString('base64url'), { mode: 0o600, flag: 'wx' });
  own(draft, account);
  try {
    fs.linkSync(draft, file); // unlike a rename, never replaces the password another starter has just made
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    fs.unlinkSync(draft);
  }
}
