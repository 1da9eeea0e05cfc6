/**
 * `npm run bench`: POST and GET throughput beside a bare Express + pg handler, in one run, on one database, with the
 * same number of connections. Rounds alternate, so that a noisy machine disturbs both alike; ratios are medians.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import autocannon from 'autocannon';
import { startEmbedded } from '../src/db/embedded.ts';

const CONNECTIONS = 64;
const SECONDS = Number(process.env.BENCH_SECONDS ?? 5);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const SAMPLE_IDS = 500;
const BODY = JSON.stringify({
  target_user_email: 'ada@example.com',
  context: 'Access request for production database',
});

type Side = { url: string; path: string; headers: Record<string, string>; idField: string };
type Figures = { perSecond: number; p99: number };

if (process.argv.includes('--help')) {
  console.log('Usage: npm run bench\n\nBENCH_SECONDS per measurement (default 5), BENCH_ROUNDS (default 5).');
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
const children: ChildProcess[] = [];
const postgres = await startEmbedded(folder);
try {
  const { ours, bare } = await startBoth();
  console.log(`${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s each, Node ${process.version}\n`);
  await compare('POST', ours, bare, 0.8, post);
  const ids = { ours: await sampleIds(ours), bare: await sampleIds(bare) };
  await compare('GET', ours, bare, 0.9, (side) => get(side, side === ours ? ids.ours : ids.bare));
} finally {
  for (const child of children) child.kill('SIGTERM');
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function startBoth(): Promise<{ ours: Side; bare: Side }> {
  const env = { ...process.env, DATA_DIR: folder, PORT: '0', NODE_ENV: 'production' };
  const serve = await start('node', ['dist/cli.js', 'serve'], env, /API key +(\S+)/, /listens on (\S+)/);
  const bare = await start(
    'node',
    ['--import', 'tsx', 'bench/bare.ts', JSON.stringify(postgres.connection)],
    env,
    /^(http\S+)/,
  );
  const [apiKey = '', url = ''] = serve;
  const headers = { 'content-type': 'application/json' };
  return {
    ours: {
      url,
      path: '/api/v1/challenges',
      headers: { ...headers, 'x-api-key': apiKey },
      idField: 'challenge_id',
    },
    bare: { url: bare[0] ?? '', path: '/rows', headers, idField: 'id' },
  };
}

/** Starts a child and waits until each pattern has been printed; returns what they caught. The rest of its output is dropped. */
function start(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  ...patterns: RegExp[]
): Promise<string[]> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const caught: string[] = [];
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended with code ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      patterns.forEach((pattern, index) => (caught[index] ??= pattern.exec(line)?.[1] as string));
      if (patterns.every((_, index) => caught[index])) resolve(caught);
    });
  });
}

async function compare(
  name: string,
  ours: Side,
  bare: Side,
  goal: number,
  measure: (side: Side) => Promise<Figures>,
): Promise<void> {
  await measure(bare);
  await measure(ours);
  const ratios: number[] = [];
  const tails: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const [first, second] = round % 2 ? [bare, ours] : [ours, bare];
    const figures = new Map([[first, await measure(first)]]);
    figures.set(second, await measure(second));
    const [mine, theirs] = [figures.get(ours)!, figures.get(bare)!];
    ratios.push(mine.perSecond / theirs.perSecond);
    tails.push(mine.p99 / theirs.p99);
    console.log(
      `${name} round ${round}: ours ${Math.round(mine.perSecond)}/s p99 ${mine.p99} ms, bare ${Math.round(theirs.perSecond)}/s p99 ${theirs.p99} ms`,
    );
  }
  console.log(
    `${name}: throughput ${median(ratios).toFixed(2)} of bare (goal >= ${goal}), p99 ${median(tails).toFixed(2)} x bare (goal <= 2)\n`,
  );
}

function post(side: Side): Promise<Figures> {
  return load({ url: side.url + side.path, method: 'POST', headers: side.headers, body: BODY });
}

function get(side: Side, ids: string[]): Promise<Figures> {
  let next = 0;
  return load({
    url: side.url,
    requests: [
      {
        method: 'GET',
        headers: side.headers,
        setupRequest: (request) => ({ ...request, path: `${side.path}/${ids[next++ % ids.length]}` }),
      },
    ],
  });
}

async function load(options: autocannon.Options): Promise<Figures> {
  const result = await autocannon({ ...options, connections: CONNECTIONS, duration: SECONDS });
  const wrong = result.non2xx + result.errors + result.timeouts;
  if (wrong > 0) throw new Error(`${wrong} of ${result.requests.total} requests went wrong`);
  return { perSecond: result.requests.average, p99: result.latency.p99 };
}

async function sampleIds(side: Side): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < SAMPLE_IDS) {
    const answer = await fetch(side.url + side.path, { method: 'POST', headers: side.headers, body: BODY });
    ids.push(((await answer.json()) as Record<string, string>)[side.idField] ?? '');
  }
  return ids;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
