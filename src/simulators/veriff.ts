import { randomUUID } from 'node:crypto';
import { donePage, hostedPage } from './page.ts';
import { createSender } from './sender.ts';
import { formOf, html, listen, redirect } from './server.ts';
import type { Handler, LastWord } from './server.ts';
import { newestOf } from './sessions.ts';
import type { Message, SimulatedSession, Simulator, SimulatorOptions } from './simulator.ts';
import { apiRoutes, unknownAddress } from './veriff-api.ts';
import { authHeaders } from './veriff-auth.ts';
import type { Credentials } from './veriff-auth.ts';
import type { Json, VeriffSession } from './veriff-bodies.ts';
import { isOutcome, OUTCOMES, run } from './veriff-runs.ts';

/**
 * Exactly 200 within five seconds counts as received (Veriff, webhook guide). Veriff then tries about hourly for a
 * week; these waits are much shorter, so that somebody who watches sees it.
 */
const MANNER = {
  accepts: (status: number) => status === 200,
  answerMs: 5_000,
  retryMs: [1_000, 5_000, 15_000, 30_000, 60_000],
};

/** Veriff, as far as Countersign needs it. */
export async function startVeriff({
  port,
  tell,
  settings = {},
  lastWord,
}: SimulatorOptions & { lastWord?: LastWord } = {}) {
  const { api_key = randomUUID(), shared_secret = randomUUID() } = settings;
  const credentials: Credentials = { apiKey: api_key, secret: shared_secret };
  const sessions: VeriffSession[] = [];
  const sender = createSender(MANNER, tell);
  const look = { label: 'Veriff', outcomes: OUTCOMES };

  const play = (chosen: SimulatedSession, outcome: string): Message[] => {
    const session = sessions.find(({ id }) => id === chosen.id);
    if (!session || !isOutcome(outcome)) throw new Error(`Veriff cannot play ${outcome}`);
    return run(session, outcome).map((body) => messageOf(body, credentials));
  };
  const hosted =
    (answer: (session: VeriffSession, form: URLSearchParams) => ReturnType<Handler>): Handler =>
    (call) => {
      const session = sessions.find(({ token }) => token === call.params.token);
      return session ? answer(session, formOf(call)) : html(404, 'No such session');
    };

  const server = await listen(
    {
      ...apiRoutes(credentials, sessions, ({ headers }) => `http://${headers.host}`),
      'GET /v/:token': hosted((session) => hostedPage(look, session)),
      'POST /v/:token': hosted((session, form) => {
        const outcome = form.get('decision') ?? '';
        if (!isOutcome(outcome)) return html(400, 'No such decision');
        // The browser goes back at once; the webhooks take their own time.
        void sender.send(play(session, outcome));
        return session.callback === null ? donePage(look) : redirect(session.callback);
      }),
    },
    { port, tell, lastWord, otherwise: unknownAddress },
  );

  return {
    ...look,
    ...sender,
    url: server.url,
    settings: { api_key, shared_secret, base_url: server.url },
    credentials,
    sessions: sessions as readonly VeriffSession[],
    sessionOf: (challengeId: string) => newestOf(sessions, challengeId),
    play,
    async close() {
      await sender.close();
      await server.close();
    },
  } satisfies Simulator & { [more: string]: unknown };
}

/** A webhook with its headers, compact as it is signed. */
function messageOf(body: Json, credentials: Credentials): Message & { name: string } {
  const text = JSON.stringify(body);
  const headers = { 'content-type': 'application/json', ...authHeaders(credentials, text) };
  return { name: nameOf(body), body: text, headers: () => headers };
}

function nameOf({ verification, action, checkType, eventType, type }: Json): string {
  if (verification) return `decision ${String((verification as Json).status)}`;
  if (checkType) return 'watchlist screening';
  return typeof action === 'string' ? `event ${action}` : String(eventType ?? type);
}
