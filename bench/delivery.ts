/**
 * `npm run bench:delivery`: the delivery engine beside a loop of plain undici POSTs, in one run, to the same receivers.
 * Rounds alternate, so that a noisy machine disturbs both alike; ratios are medians.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { connectDatabase } from '../src/db/database.ts';
import { startEmbedded } from '../src/db/embedded.ts';
import { migrate } from '../src/db/migrate.ts';
import { createRelay } from '../src/deliveries/relay.ts';
import { createLog } from '../src/kernel/log.ts';
import { createMetrics } from '../src/kernel/metrics.ts';
import { createJobs } from '../src/queue.ts';
import { readConfig } from '../src/config.ts';
import { openStore } from '../src/db/open.ts';
import { createIntegration } from '../src/tenants/keys.ts';
import { insertTenant } from '../src/tenants/store.ts';
import { startRedis } from '../test/support/redis.ts';
import { ask, endChildren, forkScript, startWorker } from './delivery/children.ts';
import { expenses, prepareStatistics, settled } from './delivery/costs.ts';
import { BODY, commitMany, commitOne } from './delivery/events.ts';
import type { Sender } from './delivery/events.ts';
import type { News } from './delivery/receiver.ts';

const EVENTS = Number(process.env.BENCH_EVENTS ?? 20_000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 8);
/** Until connections stand and code is compiled. */
const WARM_UP_SECONDS = 5;
const RATE = 200;
const RECEIVERS = 200;
const HANGING_DUE = 10_000;
/** What the plain loop does at once: as much as the engine may to one receiver, and enough to keep two cores busy. */
const PLAIN_AT_ONCE = { one: 10, many: 64 };
const GOALS = { redis: 0.45, postgres: 0.35, statements: 0.2, hanging: 1.2, p50: 30, p99: 150 };

if (process.argv.includes('--help')) {
  console.log(`Usage: npm run bench:delivery [-- postgres|redis]

Delivers ${RATE} events a second to ${RECEIVERS} receivers, alone and beside one that hangs, and then ${EVENTS} events at once: to\n${RECEIVERS} receivers beside one that hangs, to one, and to ${RECEIVERS}.
BENCH_EVENTS (default 20000), BENCH_ROUNDS (default 3), BENCH_SECONDS of each steady part (default 8).`);
  process.exit(0);
}

type Backend = 'postgres' | 'redis';
type Burst = { perSecond: number };

const wanted = process.argv.slice(2).filter((arg) => arg === 'postgres' || arg === 'redis') as Backend[];
let plainCpu = 0;
const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
const ENV = { DATA_DIR: folder, ENCRYPTION_KEY: 'ab'.repeat(32), PORT: '0', LOG_LEVEL: 'info' };
process.once('SIGINT', () => process.exit(130));
await prepareStatistics(folder);
const postgres = await startEmbedded(folder);
await migrate(postgres.connection);
const { db } = connectDatabase(postgres.connection, () => undefined);
const receivers = await openReceivers();
try {
  console.log(`Node ${process.version}, ${EVENTS} events, ${ROUNDS} rounds; medians\n`);
  for (const backend of wanted.length > 0 ? wanted : (['redis', 'postgres'] as const))
    await benchmark(backend);
} finally {
  endChildren();
  await db.destroy();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function openReceivers() {
  const child = forkScript('receiver.ts');
  const open = async (count: number, hanging: boolean) =>
    (await ask<{ urls: string[] }>(child, { open: count, hanging })).urls;
  return {
    child,
    one: await open(1, false),
    many: await open(RECEIVERS, false),
    hanging: await open(1, true),
  };
}

async function benchmark(backend: Backend): Promise<void> {
  const redis = backend === 'redis' ? await startRedis() : undefined;
  const env = { ...ENV, ...(redis ? { REDIS_URL: redis.url } : {}) };
  const sender = await newSender();
  const worker = await startWorker(env);
  const log = createLog('silent');
  const jobs = createJobs({ redisUrl: redis?.url, connection: postgres.connection, log });
  const relay = createRelay({ db, jobs, metrics: createMetrics(), log });
  const stage = { backend, sender, worker, wake: relay.wake };
  try {
    await compareHanging(stage);
    await compare(stage, 'one receiver', receivers.one, PLAIN_AT_ONCE.one);
    await compare(stage, `${RECEIVERS} receivers`, receivers.many, PLAIN_AT_ONCE.many);
  } finally {
    await relay.close();
    await jobs.close();
    worker.kill('SIGTERM');
    await once(worker, 'exit');
    await redis?.close();
  }
}

type Stage = {
  backend: Backend;
  sender: Sender;
  worker: ChildProcess;
  wake: (ids: readonly string[]) => void;
};

async function newSender(): Promise<Sender> {
  const store = await openStore(readConfig(ENV), () => undefined);
  const tenant_id = await insertTenant(store.db, 'Bench');
  const wish = { tenant_id, name: 'Bench', mode: 'test', callback_url: null } as const;
  const { integrationId } = await createIntegration(store.db, store.sealer, wish);
  await store.close();
  return { tenant_id, integration_id: integrationId };
}

async function compare(stage: Stage, name: string, urls: string[], atOnce: number): Promise<void> {
  const ratios: number[] = [];
  const costs: { cpu: number; postgres: number; statements: number }[] = [];
  await burst(stage, urls, 2_000);
  for (let round = 1; round <= ROUNDS; round++) {
    const theirs = await plain(urls, atOnce);
    const before = await expenses(db, stage.worker);
    const ours = await burst(stage, urls, EVENTS);
    await settled(db, receivers.hanging[0] ?? '');
    const after = await expenses(db, stage.worker);
    const per = (key: 'cpu' | 'postgres' | 'statements') => (after[key] - before[key]) / EVENTS;
    costs.push({ cpu: per('cpu'), postgres: per('postgres'), statements: per('statements') });
    ratios.push(ours.perSecond / theirs.perSecond);
    console.log(
      `  ${stage.backend}, ${name}, round ${round}: ours ${Math.round(ours.perSecond)}/s, plain ${Math.round(theirs.perSecond)}/s`,
    );
  }
  const of = (key: 'cpu' | 'postgres' | 'statements') => median(costs.map((cost) => cost[key]));
  console.log(
    `${stage.backend}, ${name}: ${median(ratios).toFixed(2)} of plain (goal >= ${GOALS[stage.backend]}); per 1,000 deliveries ` +
      `${(of('cpu') * 1_000).toFixed(2)} CPU s of the worker and ${(of('postgres') * 1_000).toFixed(2)} of PostgreSQL (plain loop ${plainCpu.toFixed(2)}); ` +
      `${of('statements').toFixed(3)} statements per delivery (goal <= ${GOALS.statements})\n`,
  );
}

async function plain(urls: string[], atOnce: number): Promise<{ perSecond: number }> {
  const child = forkScript('plain.ts');
  receivers.child.send({ expect: EVENTS });
  const arrived = ask<{ firstMs: number; lastMs: number }>(receivers.child);
  const done = ask<{ cpuSeconds: number }>(child, { urls, body: BODY, count: EVENTS, atOnce });
  const { firstMs, lastMs } = await arrived;
  plainCpu = ((await done).cpuSeconds / EVENTS) * 1_000;
  child.disconnect();
  return { perSecond: (1_000 * EVENTS) / (lastMs - firstMs) };
}

/** Commits all events at once and wakes the endpoints, as after a commit; the clock runs from the commit to the last arrival. */
async function burst({ sender, wake }: Stage, urls: string[], count: number): Promise<Burst> {
  receivers.child.send({ expect: count });
  const arrived = ask<{ lastMs: number }>(receivers.child);
  const endpoints = await commitMany(db, sender, urls, count);
  const committedMs = performance.timeOrigin + performance.now();
  wake(endpoints);
  const { lastMs } = await arrived;
  return { perSecond: (1_000 * count) / (lastMs - committedMs) };
}

/** Healthy receivers at a steady rate, by turns alone and beside one that hangs and has thousands due. */
async function compareHanging(stage: Stage): Promise<void> {
  await steady(stage, WARM_UP_SECONDS);
  const hanging = await commitMany(db, stage.sender, receivers.hanging, HANGING_DUE);
  const rounds: { alone: Latency; beside: Latency }[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    await pause(hanging, true);
    const alone = await steady(stage);
    await pause(hanging, false);
    stage.wake(hanging);
    rounds.push({ alone, beside: await steady(stage) });
  }
  const of = (which: 'alone' | 'beside') =>
    `p50 ${median(rounds.map((round) => round[which].p50)).toFixed(1)} ms, p99 ${median(rounds.map((round) => round[which].p99)).toFixed(1)} ms`;
  const ratio = median(rounds.map(({ alone, beside }) => beside.p99 / alone.p99));
  console.log(
    `${stage.backend}, ${RATE} events a second to ${RECEIVERS} receivers: commit to 2xx ${of('alone')} (goal < ${GOALS.p50} and < ${GOALS.p99})`,
  );
  console.log(
    `${stage.backend}, beside one that hangs with ${HANGING_DUE} due: ${of('beside')}; p99 ${ratio.toFixed(2)} x without (goal <= ${GOALS.hanging})`,
  );
  const together = await burst(stage, receivers.many, EVENTS);
  console.log(
    `${stage.backend}, ${EVENTS} to ${RECEIVERS} receivers beside one that hangs: ${Math.round(together.perSecond)}/s\n`,
  );
  await sql`truncate deliveries, delivery_attempts, endpoints, gone_urls, events cascade`.execute(db);
}

async function pause(endpoints: string[], paused: boolean): Promise<void> {
  await sql`update endpoints set open_until = null, paused_until = case when ${paused} then now() + interval '1 hour' end
    where id = any(${endpoints}::uuid[])`.execute(db);
}

type Latency = { p50: number; p99: number };

async function steady({ sender, wake }: Stage, seconds = SECONDS): Promise<Latency> {
  receivers.child.send({ expect: -1 });
  const committed = new Map<string, number>();
  const begun = performance.now();
  const commits: Promise<void>[] = [];
  for (let n = 0; n < RATE * seconds; n++) {
    const dueMs = begun + (1_000 * n) / RATE;
    if (performance.now() < dueMs) await sleep(dueMs - performance.now());
    const url = receivers.many[n % RECEIVERS] ?? '';
    const commit = commitOne(db, sender, url).then(({ id, endpointId }) => {
      committed.set(id, performance.timeOrigin + performance.now());
      wake([endpointId]);
    });
    commits.push(commit);
  }
  await Promise.all(commits);
  await settled(db, receivers.hanging[0] ?? '');
  const { times } = await ask<Extract<News, { times: unknown }>>(receivers.child, { report: true });
  const first = new Map(times.toReversed());
  const latencies = [...committed]
    .map(([id, ms]) => (first.get(id) ?? Number.POSITIVE_INFINITY) - ms)
    .sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(share * (latencies.length - 1))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
