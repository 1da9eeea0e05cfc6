/**
 * `npm run bench:inbound`: what comes in from providers. Part one measures how fast webhooks are acknowledged, beside a
 * bare Express handler under the same load in the same run; part two sends mutated ones and looks for harm.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import type { Backend } from '../test/support/server.ts';
import { endChildren } from './delivery/children.ts';
import { measureAcknowledgement } from './inbound/acknowledge.ts';
import { fuzzServer } from './inbound/fuzz/run.ts';
import { openStage } from './inbound/stage.ts';
import type { Closers, Stage } from './inbound/stage.ts';

const HELP = `Usage: npm run bench:inbound [-- OPTIONS]

Part one lets Veriff's webhooks (events, decisions, 5 % of them twice) arrive at fixed times at a real server on a
PostgreSQL of its own, and measures how long each waits for its 200, from when it was due; the same for an Express
handler that only checks the signature; whether anything that was acknowledged is lost; and how long handling takes.

Part two sends mutated webhooks of every provider, wrongly signed and rightly signed, and ends with 1 if any is
answered 5xx, if anything not authentic changes a challenge, or if anything but a valid decision ends one.

  --seconds N   how long part one lasts, on each backend (default 30; 0: leave it out)
  --rate N      webhooks a second (default 500)
  --bodies N    mutated webhooks in part two (default 100000; 0: leave it out)
  --backend B   postgres, redis or both, for the queue (default both; part two takes the first)
  --seed N      repeats part two of an earlier run
  --help`;

const EXIT_WRONG = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;
const MAX_SHOWN = 5;
const MAX_LINE = 300;

type Wish = { seconds: number; rate: number; bodies: number; backends: readonly Backend[]; seed: number };

const closers: Closers = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void close().finally(() => process.exit(EXIT_INTERRUPTED)));
process.exitCode = await main();

async function main(): Promise<number> {
  const wish = readWish();
  if (typeof wish === 'number') return wish;
  build();
  const { seconds, rate, bodies, seed, backends } = wish;
  const wrong: string[] = [];
  console.log(`Node ${process.version}`);
  for (const backend of seconds > 0 ? backends : []) {
    console.log(`\n${rate} webhooks a second for ${seconds} s; queue on ${backend}`);
    wrong.push(...(await onStage(backend, (stage) => measureAcknowledgement(stage, { rate, seconds }))));
  }
  for (const backend of bodies > 0 ? backends.slice(0, 1) : []) {
    console.log(`\n${bodies} mutated webhooks, seed ${seed}; queue on ${backend}`);
    wrong.push(...(await onStage(backend, (stage) => fuzzServer(stage, { bodies, seed }))));
  }
  console.log(wrong.length === 0 ? '\nNothing was lost, nothing was wrong.' : `\nWRONG: ${wrong.join('; ')}`);
  return wrong.length === 0 ? 0 : EXIT_WRONG;
}

/** Plays on a stage of its own; what the server's log complains about counts as well. */
async function onStage(backend: Backend, play: (stage: Stage) => Promise<string[]>): Promise<string[]> {
  try {
    const stage = await openStage(backend, closers);
    const wrong = await play(stage);
    const { faults } = stage.server;
    for (const fault of faults.slice(0, MAX_SHOWN))
      console.log(`  WRONG, in the server's log: ${fault.slice(0, MAX_LINE)}`);
    return faults.length > 0 ? [...wrong, `${faults.length} failures in the server's log`] : wrong;
  } finally {
    await close();
  }
}

/** What is measured is what `npm start` runs. */
function build(): void {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  if (status !== 0) throw new Error('the build failed');
}

/** Closes all that was opened, last first; what cannot be closed is said and left. */
async function close(): Promise<void> {
  endChildren();
  for (const closer of closers.splice(0).reverse())
    await closer().catch((error: unknown) => console.error(`  cleaning up: ${(error as Error).message}`));
}

function readWish(): Wish | number {
  const options = {
    seconds: { type: 'string', default: '30' },
    rate: { type: 'string', default: '500' },
    bodies: { type: 'string', default: '100000' },
    backend: { type: 'string', default: 'both' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  try {
    const { values } = parseArgs({ options });
    if (values.help) return console.log(HELP) ?? 0;
    const number = (name: 'seconds' | 'rate' | 'bodies' | 'seed', least: number) => {
      if (!/^\d{1,10}$/.test(values[name]) || Number(values[name]) < least)
        throw new Error(`--${name} must be a whole number of at least ${least}`);
      return Number(values[name]);
    };
    const backends = (['postgres', 'redis'] as const).filter((one) => ['both', one].includes(values.backend));
    if (backends.length === 0) throw new Error('--backend must be postgres, redis or both');
    return {
      seconds: number('seconds', 0),
      rate: number('rate', 1),
      bodies: number('bodies', 0),
      seed: number('seed', 0),
      backends,
    };
  } catch (error) {
    console.error(`bench:inbound: ${(error as Error).message}`);
    return EXIT_USAGE;
  }
}
