import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { insertDue } from '../../test/support/backlog.ts';
import type { Backend } from '../../test/support/server.ts';
import { retention, vacuumHeldBack } from './latency.ts';
import type { Outcome, Stage } from './stage.ts';

export type Tell = (line: string) => void;
export type Scenario = {
  name: string;
  /** what goes wrong, for --help */
  about: string;
  backends: readonly Backend[];
  play: (stage: Stage, seconds: number, tell: Tell) => Promise<Outcome>;
};

const BOTH = ['postgres', 'redis'] as const;
const MANY = 10_000;

/** All that is tried, in the order in which it is. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'kill-worker',
    about: 'kill -9 of one of three workers every two seconds',
    backends: BOTH,
    play: killWorkers,
  },
  {
    name: 'postgres-restart',
    about: 'PostgreSQL stopped or killed, and started again, by turns',
    backends: BOTH,
    play: restartPostgres,
  },
  {
    name: 'postgres-outage',
    about: 'PostgreSQL away for half the time, at most 30 s',
    backends: BOTH,
    play: outage,
  },
  {
    name: 'redis-kill',
    about: 'Redis killed and started empty, again and again',
    backends: ['redis'],
    play: killRedis,
  },
  { name: 'redis-wipe', about: 'Redis emptied every second', backends: ['redis'], play: wipeRedis },
  {
    name: 'store-absent',
    about: 'workers started before PostgreSQL and Redis',
    backends: BOTH,
    play: storeAbsent,
  },
  {
    name: 'eight-workers',
    about: `eight workers, ${MANY} deliveries at once and the load besides`,
    backends: BOTH,
    play: eightWorkers,
  },
  {
    name: 'vacuum-held-back',
    about: '20,000 deliveries beside a transaction that stays open',
    backends: ['postgres'],
    play: vacuumHeldBack,
  },
  {
    name: 'retention',
    about: 'a month of attempts, a million, tidied up under way',
    backends: ['postgres'],
    play: retention,
  },
];

async function startWorkers(stage: Stage, count: number): Promise<void> {
  const workers = Array.from({ length: count }, () => stage.work());
  await Promise.all(workers.map((worker) => worker.ready()));
}

/** Repeats until the time is over. */
async function during(
  seconds: number,
  everyMs: number,
  act: (round: number) => Promise<unknown>,
): Promise<number> {
  let round = 0;
  for (const end = Date.now() + 1_000 * seconds; Date.now() + everyMs <= end; round += 1) {
    await sleep(everyMs);
    await act(round);
  }
  return round;
}

async function killWorkers(stage: Stage, seconds: number, tell: Tell): Promise<Outcome> {
  await startWorkers(stage, 3);
  stage.load();
  const kills = await during(seconds, 2_000, async (round) => {
    const living = stage.workers.filter((worker) => !worker.hasEnded());
    await living[Math.floor(Math.random() * living.length)]?.kill();
    await stage.work().ready();
    if (round % 5 === 4) tell(`${round + 1} workers killed`);
  });
  return stage.settle(`${kills} kills`);
}

async function restartPostgres(stage: Stage, seconds: number, tell: Tell): Promise<Outcome> {
  await startWorkers(stage, 2);
  stage.load();
  const rounds = await during(seconds, Math.max(3_000, (1_000 * seconds) / 6), async (round) => {
    await (round % 2 ? stage.postgres.kill() : stage.postgres.stop());
    await sleep(500);
    await stage.postgres.start();
    tell(round % 2 ? 'PostgreSQL killed and started' : 'PostgreSQL stopped and started');
  });
  return stage.settle(`${rounds} restarts${died(stage)}`);
}

async function outage(stage: Stage, seconds: number, tell: Tell): Promise<Outcome> {
  await startWorkers(stage, 2);
  const load = stage.load();
  const awayMs = Math.min(30_000, 500 * seconds);
  await sleep(250 * seconds);
  await stage.postgres.stop();
  tell(`PostgreSQL is away for ${awayMs / 1_000} s`);
  await sleep(awayMs);
  await stage.postgres.start();
  tell('PostgreSQL is back');
  await sleep(250 * seconds);
  return stage.settle(`${awayMs / 1_000} s away, ${load.failed()} events refused meanwhile${died(stage)}`);
}

async function killRedis(stage: Stage, seconds: number, tell: Tell): Promise<Outcome> {
  await startWorkers(stage, 2);
  stage.load();
  const kills = await during(seconds, 5_000, async () => {
    await stage.redis?.kill();
    await sleep(1_000);
    await stage.redis?.restart();
    tell('Redis killed and started');
  });
  return stage.settle(`${kills} kills${died(stage)}`);
}

async function wipeRedis(stage: Stage, seconds: number): Promise<Outcome> {
  await startWorkers(stage, 2);
  stage.load();
  const wipes = await during(seconds, 1_000, async () => stage.redis?.wipe());
  return stage.settle(`${wipes} wipes${died(stage)}`);
}

async function storeAbsent(stage: Stage, seconds: number, tell: Tell): Promise<Outcome> {
  const load = stage.load();
  await sleep(1_000);
  await load.stop();
  await stage.postgres.stop();
  await stage.redis?.kill();
  const workers = [stage.work(), stage.work()];
  await sleep(Math.min(10_000, 500 * seconds));
  tell('two workers wait; the stores appear');
  await stage.postgres.start();
  await stage.redis?.restart();
  await Promise.all(workers.map((worker) => worker.ready()));
  return stage.settle(`2 workers waited${died(stage)}`);
}

async function eightWorkers(stage: Stage, seconds: number, tell: Tell): Promise<Outcome> {
  const { urls } = stage.receivers;
  for (const url of urls) await insertDue(stage.db, stage.owner, url, { count: MANY / urls.length });
  tell(`${MANY} deliveries wait; eight workers start`);
  await startWorkers(stage, 8);
  stage.load();
  await sleep(1_000 * seconds);
  const outcome = await stage.settle(`8 workers${died(stage)}`);
  const { rows } = await sql<{ uneven: string }>`
    select count(*) as uneven from deliveries where attempts <> (
      select count(*) from delivery_attempts where delivery_id = deliveries.id)`.execute(stage.db);
  return { ...outcome, note: `${outcome.note}, attempts miscounted: ${rows[0]?.uneven}` };
}

/** Workers that ended though nobody killed them. */
function died({ workers }: Stage): string {
  const ended = workers.filter((worker) => worker.hasEnded());
  return ended.length === 0 ? '' : `; ${ended.length} WORKERS DIED: ${ended[0]?.said().slice(-300)}`;
}
