import { randomUUID } from 'node:crypto';
import { ask, cpuSecondsOf, forkScript } from '../delivery/children.ts';
import { count, millis, table } from './print.ts';
import type { Fared, Order } from './generator.ts';
import { planLoad } from './plan.ts';
import type { Plan } from './plan.ts';
import { insertSessions, openAccount } from './sessions.ts';
import type { Stage } from './stage.ts';
import { handledWithin, postmasterOf, untilHandled, verdictOn } from './verdict.ts';

/** Exactly 200 within five seconds counts as received (Veriff, webhook guide). */
const VENDOR_LIMIT_MS = 5_000;
const GOAL_P99_MS = 100;
/** Until connections stand and code is compiled. */
const WARM_UP_S = 5;

export type Load = { rate: number; seconds: number };

/** Part one: acknowledging Veriff's webhooks at a steady rate, beside a bare Express handler. Returns what is wrong. */
export async function measureAcknowledgement(stage: Stage, load: Load): Promise<string[]> {
  const credentials = { apiKey: randomUUID(), secret: randomUUID() };
  const settings = {
    api_key: credentials.apiKey,
    shared_secret: credentials.secret,
    base_url: 'https://veriff.example',
  };
  const accountId = await openAccount(stage, 'veriff', settings);
  const url = `${stage.server.url}/webhooks/veriff/${accountId}`;
  const prepare = async (seconds: number) => {
    const plan = planLoad(credentials, load.rate, seconds);
    await insertSessions(stage, 'veriff', accountId, plan.sessions);
    return plan;
  };

  const warmUp = await prepare(Math.min(WARM_UP_S, load.seconds));
  const plan = await prepare(load.seconds);
  const bare = await measureBare(credentials.secret, warmUp, plan, load.rate);
  await send(url, warmUp, load.rate);
  await untilHandled(stage.db);
  const before = await spent(stage);
  const ours = await send(url, plan, load.rate);
  const ended = performance.now();
  const isDone = await untilHandled(stage.db);
  const tookMs = performance.now() - ended;
  const after = await spent(stage);

  const waited = await handledWithin(stage.db, plan);
  const verdict = await verdictOn(stage.db, accountId, plan, ours.statuses);
  const p99 = at(ours.latenciesMs, 0.99);
  const per = (key: 'server' | 'postgres') =>
    (((after[key] - before[key]) / ours.statuses.length) * 1_000).toFixed(2);
  console.log(
    [
      ...table([
        ['from due to answered', 'p50', 'p99', 'max'],
        ['  bare Express: HMAC, 200', ...quantiles(bare.latenciesMs)],
        ['  Countersign', ...quantiles(ours.latenciesMs)],
      ]),
      `  p99 ${p99 < GOAL_P99_MS ? 'is within' : 'MISSES'} the goal of ${GOAL_P99_MS} ms, and is ${(p99 / at(bare.latenciesMs, 0.99)).toFixed(1)} x bare; Veriff waits ${count(VENDOR_LIMIT_MS)} ms`,
      `  the sender itself was late by p99 ${millis(at(ours.lateMs, 0.99))}, max ${millis(at(ours.lateMs, 1))}`,
      ...verdict.lines,
      `  ${isDone ? `all handled ${millis(tookMs)} after the last answer` : 'NOT all handled'}; from kept to handled p50 ${millis(at(waited, 0.5))}, p99 ${millis(at(waited, 0.99))}, max ${millis(at(waited, 1))}`,
      `  CPU seconds per 1,000 webhooks, handling included: server ${per('server')}, PostgreSQL ${per('postgres')}`,
    ].join('\n'),
  );
  return [...verdict.wrong, ...(isDone ? [] : ['webhooks that were not handled'])];
}

async function measureBare(secret: string, warmUp: Plan, plan: Plan, rate: number): Promise<Fared> {
  const bare = forkScript('../inbound/bare.ts');
  const { url } = await ask<{ url: string }>(bare, { secret });
  await send(url, warmUp, rate);
  const fared = await send(url, plan, rate);
  bare.kill();
  if (fared.statuses.some((status) => status !== 200)) throw new Error('the bare handler refused webhooks');
  return fared;
}

async function send(url: string, { webhooks }: Plan, rate: number): Promise<Fared> {
  const child = forkScript('../inbound/generator.ts');
  const fared = await ask<Fared>(child, { url, rate, webhooks } satisfies Order);
  child.disconnect();
  return fared;
}

async function spent({ db, server }: Stage) {
  return {
    server: cpuSecondsOf(server.pid),
    postgres: cpuSecondsOf(await postmasterOf(db), true),
  };
}

function quantiles(values: readonly number[]): string[] {
  return [0.5, 0.99, 1].map((share) => millis(at(values, share)));
}

function at(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
}
