import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, Reply } from '../../src/simulators/server.ts';
import type { Message, Travel } from '../../src/simulators/simulator.ts';
import { refusal } from '../../src/simulators/veriff-api.ts';
import { authHeaders } from '../../src/simulators/veriff-auth.ts';
import type { Credentials, HeaderNames } from '../../src/simulators/veriff-auth.ts';
import { eventBody } from '../../src/simulators/veriff-bodies.ts';
import type { Decision, Event, Json, VeriffSession } from '../../src/simulators/veriff-bodies.ts';
import { decide } from '../../src/simulators/veriff-runs.ts';
import { startVeriff as startSimulator } from '../../src/simulators/veriff.ts';

/** How the stand-in acts; what is not said stays as usual. */
export type Behaviour = Omit<Travel, 'lose'> & {
  lose: number | boolean;
  /** names under which answers and the webhooks of `send`, `decide` and `tell` are signed */
  names: HeaderNames;
  /** how its API answers: signed as ever, unsigned, signed with another secret, not at all, or with this status */
  answers: 'signed' | 'unsigned' | 'forged' | 'hang up' | number;
  answerAfterMs: number;
  /** runs when a session exists at Veriff, before the caller hears of it */
  beforeAnswer: (session: VeriffSession) => Promise<unknown>;
};

type Acting = Partial<Behaviour> & Omit<Behaviour, keyof Travel>;

const USUAL: Acting = {
  ...{ names: 'x', tries: 1 },
  ...{ answers: 'signed', answerAfterMs: 0, beforeAnswer: () => Promise.resolve() },
};

/** The Veriff simulator, and what only tests need: answers that go wrong, and any webhook at any time. */
export async function startVeriff(chosen: Credentials = { apiKey: randomUUID(), secret: randomUUID() }) {
  const requests: { method: string; path: string; status: number }[] = [];
  let behaviour = USUAL;

  const lastWord = async (call: Call, reply: Reply): Promise<Reply | 'hang up'> => {
    const { method, path } = call;
    if (!path.startsWith('/v1/')) return reply;
    requests.push({ method, path, status: reply.status });
    const created = method === 'POST' && reply.status === 201 ? veriff.sessions.at(-1) : undefined;
    if (created) await behaviour.beforeAnswer(created);
    await sleep(behaviour.answerAfterMs, undefined, { ref: false }); // nobody waits for it once the test is over
    const { answers, names } = behaviour;
    if (answers === 'hang up') return 'hang up';
    if (typeof answers === 'number') return refusal(answers);
    const secret = answers === 'forged' ? randomUUID() : chosen.secret;
    const signature = answers === 'unsigned' ? {} : authHeaders({ ...chosen, secret }, reply.body, names);
    return { ...reply, headers: { 'content-type': 'application/json', ...signature } };
  };
  const veriff = await startSimulator({
    settings: { api_key: chosen.apiKey, shared_secret: chosen.secret },
    lastWord,
  });

  const send = (
    body: Json | string | Buffer | readonly Message[],
    how: Partial<Credentials> = {},
  ): Promise<number[]> => {
    if (isMessages(body)) return veriff.send(body);
    const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const signature = authHeaders({ ...chosen, ...how }, bytes, behaviour.names);
    return veriff.send([
      { body: bytes, headers: () => ({ 'content-type': 'application/json', ...signature }) },
    ]);
  };
  const behave = (change: Partial<Behaviour> = {}): void => {
    behaviour = { ...USUAL, ...change };
    const { names: _n, answers: _a, answerAfterMs: _ms, beforeAnswer: _b, lose = 0, ...travel } = behaviour;
    veriff.behave({ ...travel, lose: Number(lose) });
  };
  behave();

  return {
    ...veriff,
    requests,
    /** Acts as usual but for this, until it is told again. */
    behave,
    /** Concludes the session's attempt and tells of it by webhook; returns how each copy was answered. */
    decide: (session: VeriffSession, word: Decision, fields: Json = {}) =>
      send(decide(session, word, fields)),
    /** Tells by webhook how far the person is. */
    tell: (session: VeriffSession, action: Event, fields: Json = {}) =>
      send(eventBody(session, action, fields)),
    /** Sends messages, or any body as a signed webhook: JSON goes compact, text and bytes as they are. */
    send,
  };
}

export type Veriff = Awaited<ReturnType<typeof startVeriff>>;

function isMessages(body: unknown): body is readonly Message[] {
  return Array.isArray(body);
}
