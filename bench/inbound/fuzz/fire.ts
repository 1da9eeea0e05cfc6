import fc from 'fast-check';
import { Agent } from 'undici';
import { casesOf, wireOf } from './cases.ts';
import type { Case } from './cases.ts';
import { sendBroken } from './framing.ts';
import { LIMIT_BYTES } from './odd.ts';
import type { Target } from './targets.ts';
import type { Claim, Wire } from './vendor.ts';

const ANSWER_MS = 30_000;

/** What was let in about a run, to be held against what became of its challenge. */
export type Admitted = { target: Target; claim: Claim; attempts: string[]; sessions: string[] };
/** What became of a case: its status (0: hung up), or undefined for one that is not sent. `fault` says what is wrong. */
export type Fared = { status: number | undefined; fault?: string };

/** Sends cases, and keeps in mind what may come of them. */
export function createGun(url: string, targets: readonly Target[]) {
  const agent = new Agent({ pipelining: 1, headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS });
  const admitted: Admitted[] = [];

  async function send(target: Target, wire: Wire): Promise<number> {
    const headers = wire.headers.flat();
    const { origin } = new URL(url);
    const answer = await agent.request({
      origin,
      path: target.path,
      method: 'POST',
      headers,
      body: wire.body,
    });
    await answer.body.dump();
    return answer.statusCode;
  }

  return {
    admitted: admitted as readonly Admitted[],
    send,
    /** Fires one case; never rejects. */
    async fire(case_: Case): Promise<Fared> {
      const target = targets.find(({ vendor }) => vendor.name === case_.vendor)!;
      const { vendor, open, untouchable } = target;
      const runs = case_.signed === 'rightly' ? open : untouchable;
      const about = runs[case_.run % runs.length]!;
      const other = open[case_.other % open.length]!;
      try {
        const wire = wireOf(vendor, case_, about, other);
        if (case_.signed === 'badly')
          return judge(await sendBroken(url + target.path, case_.spoiled, wire), false);
        const text = wire.body.length > LIMIT_BYTES ? undefined : vendor.accepts(wire);
        if (text !== undefined) {
          // A signature that was spoiled and is right all the same: about the untouchable, so it is not sent.
          if (case_.signed === 'wrongly') return { status: undefined };
          const claim = vendor.claims(text);
          if (claim && !case_.mayDecide) return { status: undefined };
          if (claim) {
            const both = [about, other];
            admitted.push({
              ...{ target, claim },
              attempts: both.map(({ attemptId }) => attemptId),
              sessions: both.map(({ sessionId }) => sessionId),
            });
          }
        }
        return judge(await send(target, wire), text !== undefined);
      } catch (error) {
        return { status: undefined, fault: `no answer: ${(error as Error).message}` };
      }
    },
    close: () => agent.close(),
  };
}

export type Gun = ReturnType<typeof createGun>;

/** `count` cases of all vendors, each as often as its weight says, the same for the same seed. */
export function* casesFor(targets: readonly Target[], seed: number, count: number): Generator<Case> {
  const BATCH = 500;
  const weighted = targets.map(({ vendor }) => ({ weight: vendor.weight, arbitrary: casesOf(vendor) }));
  for (let from = 0; from < count; from += BATCH)
    yield* fc.sample(fc.oneof(...weighted), { seed: seed + from, numRuns: BATCH });
}

/** What is let in is answered 200 and nothing else; what is not gets a refusal, or somebody hangs up. */
function judge(status: number, admissible: boolean): Fared {
  if (status >= 500) return { status, fault: `answered ${status}` };
  if (admissible && status !== 200) return { status, fault: `authentic, and answered ${status}` };
  if (!admissible && status !== 0 && (status < 400 || status > 499))
    return { status, fault: `not authentic, and answered ${status}` };
  return { status };
}
