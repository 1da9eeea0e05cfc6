import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import { createOutbound } from '../../src/kernel/outbound.ts';
import { parseObject } from '../../src/providers/json.ts';
import type { Json } from '../../src/providers/json.ts';
import { startBerbix as start } from '../../src/simulators/berbix.ts';
import type { Reply } from '../../src/simulators/server.ts';
import type { SimulatorOptions, Travel } from '../../src/simulators/simulator.ts';

/** The two waits between tries are Berbix's, in a hundredth of its time. */
const RETRY_MS = [20, 40];
export const RETURN_URL = 'https://id.example/challenge/1/result';

/** Berbix for tests: its clock can be put forward, and its API can be made to go wrong. */
export async function startBerbix(options: SimulatorOptions = {}) {
  let aheadMs = 0;
  let wrong: Wrong | undefined;
  const requests: { method: string; path: string; status: number }[] = [];
  const berbix = await start({
    ...options,
    now: () => new Date(Date.now() + aheadMs),
    lastWord: async ({ method, path }, reply) => {
      const answer = (path.startsWith('/v0/') && (await wrong?.(`${method} ${path}`, reply))) || reply;
      requests.push({ method, path, status: answer === 'hang up' ? 0 : answer.status });
      return answer;
    },
  });
  const behave = (change: Partial<Travel> = {}) => berbix.behave({ retryMs: RETRY_MS, ...change });
  behave();
  /** Speaks to the API as it is; what comes back keeps the digits of ids. */
  const api = async (method: string, path: string, authorization: string, body?: Json | string) => {
    const answer = await fetch(berbix.url + path, {
      method,
      headers: { authorization },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: answer.status, json: parseObject(await answer.text()) ?? {} };
  };
  const create = (fields: Json = {}) =>
    api('POST', '/v0/transactions', basicOf(berbix.settings.api_secret), {
      customer_uid: 'uid-1',
      template_key: berbix.settings.template_key,
      hosted_options: { redirect_url: RETURN_URL },
      ...fields,
    });
  return {
    ...berbix,
    behave,
    requests,
    api,
    create,
    /** A transaction of its own customer, with what opens it. */
    async begin() {
      const { json } = await create({ customer_uid: randomUUID() });
      const session = berbix.sessions.at(-1)!;
      return { session, json, bearer: `Bearer ${String(json.access_token)}` };
    },
    /** From now on it is that much later at Berbix. */
    putForward(ms: number) {
      aheadMs += ms;
    },
    /** Lets the API answer otherwise where this returns something, until it is told again. */
    answerWith(next?: Wrong) {
      wrong = next;
    },
  };
}

/** The API secret as the user of Basic authorization. */
export function basicOf(secret: string): string {
  return `Basic ${Buffer.from(`${secret}:`).toString('base64')}`;
}

/** All that the error which this rejects with could give away. */
export async function toldBy(promise: Promise<unknown>): Promise<string> {
  const error = (await promise.then(
    (answer) => {
      throw new Error(`no failure but ${JSON.stringify(answer)}`);
    },
    (reason: unknown) => reason,
  )) as Error & { code?: string };
  return inspect({ code: error.code, message: error.message, cause: error.cause });
}

/** What is answered instead; undefined for what it is. */
type Wrong = (route: string, reply: Reply) => Instead | Promise<Instead>;
type Instead = Reply | 'hang up' | undefined;

export type Berbix = Awaited<ReturnType<typeof startBerbix>>;

/** A Berbix for a whole test file, handed to `ready`, as ever before each test; and the way out to reach it. */
export function withBerbix(ready: (vendor: Berbix) => void) {
  const outbound = createOutbound({ allowedCidrs: ['127.0.0.0/8'], userAgent: 'test' });
  let vendor: Berbix;
  beforeAll(async () => {
    vendor = await startBerbix();
    ready(vendor);
  });
  beforeEach(() => {
    vendor.answerWith();
    vendor.requests.length = 0;
  });
  afterAll(async () => {
    await outbound.close();
    await vendor.close();
  });
  return { outbound, http: { outbound, reach: { http: true, loopback: true } } };
}
