import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from './until.ts';
import { answerApi, refusal } from './veriff-api.ts';
import { decisionBody, DECISIONS, eventBody } from './veriff-bodies.ts';
import type { Decision, Event, Json, VeriffSession } from './veriff-bodies.ts';
import { authHeaders, sendWebhook } from './veriff-sender.ts';
import type { Credentials, Delivery, Sending } from './veriff-sender.ts';

/** How the stand-in acts; what is not said stays as usual. */
export type Behaviour = Omit<Sending, keyof Credentials | 'to'> & {
  /** how its API answers: signed as ever, unsigned, signed with another secret, not at all, or with this status */
  answers: 'signed' | 'unsigned' | 'forged' | 'hang up' | number;
  answerAfterMs: number;
  /** runs when a session exists at Veriff, before the caller hears of it */
  beforeAnswer: (session: VeriffSession) => Promise<unknown>;
};

const USUAL: Behaviour = {
  ...{ names: 'x', delayMs: 0, lose: false, copies: 1, tries: 1, retryMs: 100, headers: {} },
  ...{ answers: 'signed', answerAfterMs: 0, beforeAnswer: () => Promise.resolve() },
};

/** Veriff as far as Countersign needs it, over real HTTP on loopback: it checks what Veriff checks, and signs what Veriff signs. */
export async function startVeriff(credentials: Credentials = { apiKey: randomUUID(), secret: randomUUID() }) {
  const sessions: VeriffSession[] = [];
  const requests: { method: string; path: string; status: number }[] = [];
  const deliveries: Delivery[] = [];
  const underWay = new Set<Promise<unknown>>();
  let behaviour = USUAL;
  let webhookUrl = '';

  const send = async (body: Json | string | Buffer, how: Partial<Sending> = {}): Promise<number[]> => {
    const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const sent = sendWebhook(bytes, { ...behaviour, ...credentials, to: webhookUrl, ...how });
    underWay.add(sent);
    const done = await sent.finally(() => underWay.delete(sent));
    deliveries.push(...done);
    return done.map(({ status }) => status);
  };
  const decide = (session: VeriffSession, word: Decision, fields: Json = {}): Promise<number[]> => {
    const body = decisionBody(session, word, fields);
    session.verification = body.verification as Json;
    // The same session goes on, with a new attempt.
    if (word === 'resubmission_requested') session.attemptId = randomUUID();
    return send(body);
  };

  const api = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url: path = '' } = request;
    const body = await bytesOf(request);
    const { status, json } = answerApi({ request, method, path, body }, credentials, sessions, origin());
    requests.push({ method, path, status });
    const created = method === 'POST' && status === 201 ? sessions.at(-1) : undefined;
    if (created) await behaviour.beforeAnswer(created);
    await sleep(behaviour.answerAfterMs, undefined, { ref: false }); // nobody waits for it once the test is over
    const { answers } = behaviour;
    if (answers === 'hang up') return void request.socket.destroy();
    if (typeof answers === 'number') return reply(response, answers, refusal(answers).json);
    const secret = answers === 'forged' ? randomUUID() : credentials.secret;
    const headers =
      answers === 'unsigned'
        ? {}
        : authHeaders({ ...credentials, secret }, JSON.stringify(json), behaviour.names);
    reply(response, status, json, headers);
  };
  const page = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const session = sessions.find(({ token }) => request.url === `/v/${token}`);
    if (!session) return void response.writeHead(404).end('No such session');
    if (request.method !== 'POST')
      return void response.setHeader('content-type', 'text/html').end(hostedPage(session));
    const word = new URLSearchParams((await bytesOf(request)).toString()).get('decision') ?? '';
    if (!Object.hasOwn(DECISIONS, word)) return void response.writeHead(400).end('No such decision');
    // The browser goes back at once; the webhook takes its own time.
    response.writeHead(303, { location: session.callback ?? '/' }).end();
    await decide(session, word as Decision);
  };

  const server = createServer((request, response) => {
    const door = request.url?.startsWith('/v/') ? page : api;
    door(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = () => `http://127.0.0.1:${port}`;

  return {
    url: origin(),
    sessions,
    requests,
    deliveries,
    /** What an operator enters at Countersign. */
    settings: { api_key: credentials.apiKey, shared_secret: credentials.secret, base_url: origin() },
    /** What an operator enters at Veriff. */
    sendWebhooksTo(url: string) {
      webhookUrl = url;
    },
    /** Acts as usual but for this, until it is told again. */
    behave(change: Partial<Behaviour> = {}) {
      behaviour = { ...USUAL, ...change };
    },
    /** The newest session with this vendorData, once there is one. */
    sessionOf: (vendorData: string) =>
      until(() => sessions.findLast((one) => one.vendorData === vendorData), `a session of ${vendorData}`),
    /** Concludes the session's attempt and tells of it by webhook; returns how each copy was answered. */
    decide,
    /** Tells by webhook how far the person is. */
    tell: (session: VeriffSession, action: Event, fields: Json = {}) =>
      send(eventBody(session, action, fields)),
    /** Sends any body as a signed webhook; JSON goes compact, text and bytes as they are. */
    send,
    /** Stops listening once all webhooks under way have arrived; nobody can tell it from a Veriff that is down. */
    async close() {
      await Promise.all(underWay);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export type Veriff = Awaited<ReturnType<typeof startVeriff>>;

function reply(
  response: ServerResponse,
  status: number,
  json: Json,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(json));
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function hostedPage(session: VeriffSession): string {
  const button = (word: Decision) => `<button name="decision" value="${word}">${word}</button>`;
  return `<!DOCTYPE html><title>Veriff stand-in</title><h1>Veriff stand-in</h1><p>Session ${session.id}</p>
<form method="post">${button('approved')} ${button('declined')}</form>`;
}
