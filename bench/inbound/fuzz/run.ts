import { stringify } from 'fast-check';
import { count, table } from '../print.ts';
import type { Stage } from '../stage.ts';
import { untilHandled } from '../verdict.ts';
import type { Case } from './cases.ts';
import { casesFor, createGun } from './fire.ts';
import type { Gun } from './fire.ts';
import { countKept, findEnded, pictureOf, stillDecides } from './harm.ts';
import { openTargets } from './targets.ts';

export type Fuzz = { bodies: number; seed: number };

const AT_ONCE = 32;
/** One changed time can make all later decisions about a run stale, so there are many. */
const RUNS_PER_BODY = 1 / 50;
/** So many are drawn for each that is sent: the others are authentic by chance, or valid decisions. */
const DRAWN = 3;
const DECIDED_LIMIT_MS = 30_000;
const TELL_MS = 10_000;
/** Beyond these, more would only fill the screen. */
const MAX_SHOWN = 10;

/** Part two: mutated webhooks of every provider. Returns what is wrong. */
export async function fuzzServer(stage: Stage, { bodies, seed }: Fuzz): Promise<string[]> {
  const { db, server } = stage;
  const runs = Math.max(20, Math.ceil(bodies * RUNS_PER_BODY));
  const { targets, close } = await openTargets({ ...stage, url: server.url }, seed, runs);
  const gun = createGun(server.url, targets);
  try {
    const before = await pictureOf(db, targets);
    const { tally, faults } = await fireAll(gun, casesFor(targets, seed, bodies * DRAWN), bodies);
    console.log([...table(tally.rows()), ''].join('\n'));

    const isDone = await untilHandled(db);
    const isSame = (await pictureOf(db, targets)) === before;
    const kept = await countKept(db, targets);
    const { challenges, ended, wrong } = await findEnded(db, targets, gun.admitted);
    const silent = await stillDecides(db, targets, gun, DECIDED_LIMIT_MS);
    const spared = targets.reduce((sum, { untouchable }) => sum + untouchable.length, 0);
    console.log(
      [
        `  not authentic: ${count(spared)} challenges aimed at, ${isSame ? 'all as before' : 'NOT as before'}; ${count(kept)} kept`,
        `  authentic: ${count(challenges)} challenges aimed at, ${count(ended)} ended, ${count(wrong.length)} of them by no valid decision`,
        `  afterwards an unchanged decision ${silent.length === 0 ? 'still ended a challenge at every provider' : `ended NOTHING at ${silent.join(', ')}`}`,
        ...faults.slice(0, MAX_SHOWN).map((fault) => `  WRONG: ${fault}`),
        ...wrong.slice(0, MAX_SHOWN).map((one) => `  WRONG: ${one}`),
      ].join('\n'),
    );
    return [
      ...(faults.length > 0 ? [`${count(faults.length)} webhooks answered as they must not be`] : []),
      ...(isSame && kept === 0 ? [] : ['something not authentic had an effect']),
      ...(wrong.length > 0 ? [`${count(wrong.length)} challenges ended by no valid decision`] : []),
      ...(isDone ? [] : ['webhooks that were not handled']),
      ...(silent.length > 0 ? ['decisions without effect'] : []),
    ];
  } finally {
    await gun.close();
    await close();
  }
}

/** Fires until `wanted` cases were sent. */
async function fireAll(gun: Gun, cases: Iterator<Case, void>, wanted: number) {
  const tally = createTally();
  const faults: string[] = [];
  let [sent, tellAt] = [0, performance.now() + TELL_MS];
  const fireSome = async () => {
    while (sent < wanted) {
      const { value, done } = cases.next();
      if (done) throw new Error(`ran out of cases after ${sent}`);
      const case_ = value;
      sent += 1;
      const { status, fault } = await gun.fire(case_);
      if (fault) faults.push(`${fault}: ${stringify(case_)}`);
      if (status === undefined && !fault) sent -= 1;
      else tally.add(case_, status ?? 0);
      if (performance.now() < tellAt) continue;
      tellAt += TELL_MS;
      console.log(`  ${count(sent)} of ${count(wanted)} sent`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, fireSome));
  return { tally, faults };
}

/** Counts by vendor, by how it was signed, and by status. */
function createTally() {
  const counts = new Map<string, number>();
  const seen = { kinds: new Set<string>(), statuses: new Set<number>() };
  return {
    add({ vendor, signed }: Case, status: number): void {
      const kind = `  ${vendor}, ${signed === 'badly' ? 'no right HTTP' : `${signed} signed`}`;
      seen.kinds.add(kind);
      seen.statuses.add(status);
      counts.set(`${kind} ${status}`, (counts.get(`${kind} ${status}`) ?? 0) + 1);
    },
    rows(): string[][] {
      const statuses = [...seen.statuses].sort((a, b) => a - b);
      const counted = (kind: string) => statuses.map((status) => count(counts.get(`${kind} ${status}`) ?? 0));
      const head = statuses.map((status) => (status === 0 ? 'hung up' : String(status)));
      return [
        ['answered'].concat(head),
        ...[...seen.kinds].sort().map((kind) => [kind].concat(counted(kind))),
      ];
    },
  };
}
