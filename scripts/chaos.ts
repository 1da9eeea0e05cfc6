// `npm run chaos`: everything around the workers fails, and no event may be lost. See --help and docs/chaos.md.
import { parseArgs } from 'node:util';
import type { Backend } from '../test/support/server.ts';
import { scenarios } from './chaos/scenarios.ts';
import type { Scenario } from './chaos/scenarios.ts';
import { openStage } from './chaos/stage.ts';
import type { Outcome } from './chaos/stage.ts';

const HELP = `Usage: npm run chaos [-- OPTIONS]

Runs real workers on a throwaway PostgreSQL (and Redis) under a load of about 200 events per second, lets things fail
around them, and counts what arrived. Ends with 1 if an event was lost. What the table says: docs/chaos.md.

  --seconds N       How long each scenario lasts, besides what it takes to drain (default: 60)
  --backend NAME    What the queue runs on: postgres, redis or both (default: both)
  --only NAME       This scenario alone
  -h, --help        Show this

Scenarios:
${scenarios.map(({ name, about }) => `  ${name.padEnd(18)}${about}`).join('\n')}
`;

const EXIT_LOST = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

type Row = { scenario: string; queue: Backend; tookS: number; outcome: Outcome | undefined; failure: string };
type Wish = { seconds: number; backends: readonly Backend[]; chosen: readonly Scenario[] };

const closers: (() => Promise<unknown>)[] = [];
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (!interrupted.signal.aborted) void close().finally(() => process.exit(EXIT_INTERRUPTED));
    interrupted.abort();
  });
process.exit(await main());

async function main(): Promise<number> {
  const wish = readWish();
  if (typeof wish === 'number') return wish;
  const rows: Row[] = [];
  for (const scenario of wish.chosen) {
    for (const queue of scenario.backends.filter((one) => wish.backends.includes(one)))
      rows.push(await play(scenario, queue, wish.seconds));
  }
  print(rows);
  const bad = rows.filter(({ outcome }) => !outcome || outcome.lost > 0);
  console.log(
    bad.length === 0
      ? '\nNothing was lost.'
      : `\nLOST or failed: ${bad.map(({ scenario, queue }) => `${scenario} on ${queue}`).join(', ')}`,
  );
  return bad.length === 0 ? 0 : EXIT_LOST;
}

async function play(scenario: Scenario, queue: Backend, seconds: number): Promise<Row> {
  const started = performance.now();
  const tookS = () => (performance.now() - started) / 1_000;
  const tell = (line: string) => console.log(`  ${tookS().toFixed(0).padStart(4)} s  ${line}`);
  console.log(`${scenario.name}, queue on ${queue}: ${scenario.about}`);
  const row = { scenario: scenario.name, queue };
  try {
    const stage = await openStage(queue, closers);
    const outcome = await scenario.play(stage, seconds, tell);
    const { created, delivered, duplicated, lost } = outcome;
    tell(`${delivered} of ${created} delivered, ${duplicated} twice, ${lost} lost`);
    return { ...row, tookS: tookS(), outcome, failure: '' };
  } catch (error) {
    tell(`failed: ${(error as Error).message}`);
    return { ...row, tookS: tookS(), outcome: undefined, failure: (error as Error).message };
  } finally {
    // Interrupted: the process ends when all is closed, and must not begin another scenario.
    if (interrupted.signal.aborted) await new Promise(() => undefined);
    await close();
  }
}

/** Closes all that the scenario opened, last first; what cannot be closed is said and left. */
async function close(): Promise<void> {
  for (const closer of closers.splice(0).reverse())
    await closer().catch((error: unknown) => console.error(`  cleaning up: ${(error as Error).message}`));
}

function print(rows: readonly Row[]): void {
  const heads = ['scenario', 'queue', 'created', 'delivered', 'duplicated', 'dead', 'lost', 'took'];
  const lines = rows.map(({ scenario, queue, tookS, outcome: o }) => {
    const numbers = o
      ? [o.created, o.delivered, o.duplicated, o.dead, o.lost]
      : ['-', '-', '-', '-', 'failed'];
    return [scenario, queue, ...numbers.map(String), `${tookS.toFixed(0)} s`];
  });
  const widths = heads.map((head, n) => Math.max(head.length, ...lines.map((line) => line[n]!.length)));
  const show = (line: string[]) =>
    line.map((cell, n) => (n < 2 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]!))).join('  ');
  console.log(`\n${show(heads)}`);
  lines.forEach((line, n) => console.log(`${show(line)}  ${rows[n]?.outcome?.note ?? rows[n]?.failure}`));
}

function readWish(): Wish | number {
  const options = {
    seconds: { type: 'string', default: '60' },
    backend: { type: 'string', default: 'both' },
    only: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  try {
    const { seconds, backend, only, help } = parseArgs({ options }).values;
    if (help) return console.log(HELP) ?? 0;
    if (!/^[1-9]\d{0,3}$/.test(seconds)) throw new Error('--seconds must be a number from 1 to 9999');
    const backends = (['postgres', 'redis'] as const).filter((one) => backend === 'both' || backend === one);
    if (backends.length === 0) throw new Error('--backend must be postgres, redis or both');
    const chosen = scenarios.filter(({ name }) => only === undefined || name === only);
    if (chosen.length === 0)
      throw new Error(`--only must be one of: ${scenarios.map(({ name }) => name).join(', ')}`);
    return { seconds: Number(seconds), backends, chosen };
  } catch (error) {
    console.error(`chaos: ${(error as Error).message}`);
    return EXIT_USAGE;
  }
}
