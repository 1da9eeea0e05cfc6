/**
 * `npm run bench:pages`: the start page, which everybody sees first and perhaps from far away: how long the server takes
 * for it, beside a bare Express handler that sends the same bytes, and how many bytes a first visit takes.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { endChildren } from './delivery/children.ts';
import { openStage } from './inbound/stage.ts';
import type { Closers } from './inbound/stage.ts';
import { GOAL_MS, measureStartPage } from './pages/start-page.ts';
import { GOAL_BYTES, measureVisit } from './pages/visit.ts';

const HELP = `Usage: npm run bench:pages [-- OPTIONS]

Opens the links of as many challenges at fixed times, each once, at a real server on a PostgreSQL of its own, and measures
how long each page took, from when it was due; the same for an Express handler that sends one such page as a constant.
Then a real Chromium with an empty cache opens a link and goes on, and counts the bytes.

Ends with 1 if the p99 of the page is not below ${GOAL_MS} ms, if the browser needs ${GOAL_BYTES / 1_024} KiB or more, or if
anything went wrong on the way.

  --seconds N   how long links are opened (default 20; 0: leave it out)
  --rate N      links a second (default 100)
  --help`;

const EXIT_WRONG = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;
const MAX_SHOWN = 5;
const MAX_LINE = 300;

const closers: Closers = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void close().finally(() => process.exit(EXIT_INTERRUPTED)));
process.exitCode = await main();

async function main(): Promise<number> {
  const wish = readWish();
  if (typeof wish === 'number') return wish;
  build();
  console.log(`Node ${process.version}`);
  try {
    const stage = await openStage('postgres', closers);
    const wrong = [
      ...(wish.seconds > 0 ? await measureStartPage(stage, wish) : []),
      ...(await measureVisit(stage, closers)),
    ];
    const { faults } = stage.server;
    for (const fault of faults.slice(0, MAX_SHOWN))
      console.log(`  WRONG, in the server's log: ${fault.slice(0, MAX_LINE)}`);
    if (faults.length > 0) wrong.push(`${faults.length} failures in the server's log`);
    console.log(wrong.length === 0 ? '\nEverything is within its goal.' : `\nWRONG: ${wrong.join('; ')}`);
    return wrong.length === 0 ? 0 : EXIT_WRONG;
  } catch (error) {
    console.error(`bench:pages: ${(error as Error).message}`);
    return EXIT_WRONG;
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

function readWish(): { seconds: number; rate: number } | number {
  const options = {
    seconds: { type: 'string', default: '20' },
    rate: { type: 'string', default: '100' },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  try {
    const { values } = parseArgs({ options });
    if (values.help) return console.log(HELP) ?? 0;
    const number = (name: 'seconds' | 'rate', least: number, most: number) => {
      if (!/^\d{1,4}$/.test(values[name]) || Number(values[name]) < least || Number(values[name]) > most)
        throw new Error(`--${name} must be a whole number from ${least} to ${most}`);
      return Number(values[name]);
    };
    return { seconds: number('seconds', 0, 600), rate: number('rate', 1, 2_000) };
  } catch (error) {
    console.error(`bench:pages: ${(error as Error).message}`);
    return EXIT_USAGE;
  }
}
