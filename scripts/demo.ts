// `npm run demo`: the whole story in a terminal, on a throwaway database, with nothing to set up. See --help.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createSteps } from './demo/steps.ts';
import { stories } from './demo/stories.ts';
import type { Stage } from './demo/stories.ts';

const HELP = `Usage: npm run demo [-- OPTIONS]

Runs a challenge from request to signed callback on this machine: a real Countersign server on a bundled PostgreSQL,
a stand-in for the provider (with oidc, a real IdP where people sign in; with slack, a workspace where they are asked),
and a receiver of callbacks. Everything is on loopback and in a directory that is removed at the end. Takes a few seconds
and needs no settings.

  --provider NAME   How the person is proved or asked: ${Object.keys(stories).join(', ')} (default: veriff)
  -h, --help        Show this
`;

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;
/** Whatever hangs, the demo does not. */
const LIMIT_MS = 60_000;
const CLEANUP_LIMIT_MS = 15_000;

/** What ends the demo early. */
class Ended extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

process.exit(await main(process.argv.slice(2)));

async function main(args: string[]): Promise<number> {
  const wish = readOptions(args);
  if (typeof wish === 'number') return wish;
  const started = performance.now();
  const steps = createSteps(process.stdout);
  const closers: (() => unknown)[] = [];
  let exitCode = 0;
  try {
    const dir = mkdtempSync(join(tmpdir(), 'countersign-demo-'));
    closers.push(() => rmSync(dir, { recursive: true, force: true }));
    const stage: Stage = { dir, step: steps.step, onClose: (closer) => closers.push(closer) };
    steps.say('Countersign demo: somebody asks for a password reset and must prove who they are.\n');
    await Promise.race([wish.story(stage), endedEarly()]);
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    steps.say(`\nAll ${steps.count()} steps worked, in ${seconds} s.`);
  } catch (error) {
    exitCode = error instanceof Ended ? error.exitCode : EXIT_FAILED;
    steps.fail(error as Error);
  }
  return (await cleanUp(closers)) ? exitCode : exitCode || EXIT_FAILED;
}

function readOptions(args: string[]): { story: (stage: Stage) => Promise<void> } | number {
  const options = {
    provider: { type: 'string', default: 'veriff' },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  try {
    const { provider, help } = parseArgs({ args, options }).values;
    if (help) {
      process.stdout.write(HELP);
      return 0;
    }
    const story = Object.hasOwn(stories, provider) ? stories[provider] : undefined;
    if (story) return { story };
    process.stderr.write(`demo: --provider must be one of: ${Object.keys(stories).join(', ')}\n`);
  } catch (error) {
    process.stderr.write(`demo: ${(error as Error).message}\n`);
  }
  return EXIT_USAGE;
}

/** Rejects on Ctrl-C or when time is up. npm and tsx pass a signal on, so it may come more than once. */
function endedEarly(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => reject(new Ended('interrupted', EXIT_INTERRUPTED)));
    }
    setTimeout(() => reject(new Ended(`no end after ${LIMIT_MS / 1_000} s`, EXIT_FAILED)), LIMIT_MS).unref();
  });
}

/** Closes all that was opened, last first; false when something could not be closed in time. */
async function cleanUp(closers: (() => unknown)[]): Promise<boolean> {
  let clean = true;
  const closing = (async () => {
    for (const closer of closers.reverse()) {
      try {
        await closer();
      } catch (error) {
        clean = false;
        process.stderr.write(`demo: cleaning up failed: ${(error as Error).message}\n`);
      }
    }
    return true;
  })();
  const limit = new Promise<boolean>((resolve) => {
    setTimeout(() => resolve(false), CLEANUP_LIMIT_MS).unref();
  });
  if (await Promise.race([closing, limit])) return clean;
  process.stderr.write(`demo: cleaning up took too long; look for countersign-demo-* in ${tmpdir()}\n`);
  return false;
}
