import { randomUUID } from 'node:crypto';
import { apiRoutes, unknownAddress } from './berbix-api.ts';
import { OUTCOMES, run } from './berbix-outcomes.ts';
import type { Outcome } from './berbix-outcomes.ts';
import { newVendorToken } from './berbix-transactions.ts';
import type { BerbixTransaction, Json } from './berbix-transactions.ts';
import { messageOf, sampleBody } from './berbix-webhooks.ts';
import type { HookKind, HookSecrets } from './berbix-webhooks.ts';
import { donePage, hostedPage } from './page.ts';
import { createSender } from './sender.ts';
import { formOf, html, listen, redirect } from './server.ts';
import type { Handler, LastWord } from './server.ts';
import { newestOf } from './sessions.ts';
import type { Message, SimulatedSession, Simulator, SimulatorOptions } from './simulator.ts';

/**
 * Any 2xx counts as received; otherwise there are two more tries, some seconds and then some more apart (Berbix,
 * Webhooks). How long Berbix waits for an answer is not documented.
 */
const MANNER = {
  accepts: (status: number) => status >= 200 && status <= 299,
  answerMs: 10_000,
  retryMs: [2_000, 4_000],
};

/** Berbix, as far as Countersign needs it; an empty hook secret means that there is no such hook. */
export async function startBerbix({
  port,
  tell,
  settings = {},
  lastWord,
  now = () => new Date(),
}: SimulatorOptions & { lastWord?: LastWord; now?: () => Date } = {}) {
  const {
    api_secret = `secret_test_${newVendorToken()}`,
    template_key = `tk_${randomUUID()}`,
    finished_secret = newHookSecret(),
    status_secret = newHookSecret(),
    progress_secret = newHookSecret(),
  } = settings;
  const secrets: HookSecrets = {
    finished: finished_secret,
    status_changed: status_secret,
    progress: progress_secret,
  };
  const transactions: BerbixTransaction[] = [];
  const sender = createSender(MANNER, tell);
  const look = { label: 'Berbix', outcomes: OUTCOMES };
  const signed = (kind: HookKind, body: Json) => messageOf(kind, body, secrets, now);

  const play = (chosen: SimulatedSession, outcome: string): Message[] => {
    const transaction = transactions.find(({ id }) => id === chosen.id);
    if (!transaction || !isOutcome(outcome)) throw new Error(`Berbix cannot play ${outcome}`);
    return run(transaction, outcome, now())
      .filter(({ kind }) => secrets[kind] !== '')
      .map(({ kind, body }) => signed(kind, body));
  };
  const hosted =
    (answer: (transaction: BerbixTransaction, form: URLSearchParams) => ReturnType<Handler>): Handler =>
    (call) => {
      const transaction = transactions.find(({ hostedToken }) => hostedToken === call.params.token);
      return transaction?.url ? answer(transaction, formOf(call)) : html(404, 'No such transaction');
    };

  const server = await listen(
    {
      ...apiRoutes({ apiSecret: api_secret, templateKey: template_key, transactions, now }),
      'GET /hosted/:token': hosted((transaction) => hostedPage(look, transaction)),
      'POST /hosted/:token': hosted((transaction, form) => {
        const outcome = form.get('decision') ?? '';
        if (!isOutcome(outcome)) return html(400, 'No such decision');
        // The browser goes back at once; the webhooks take their own time.
        void sender.send(play(transaction, outcome));
        return transaction.redirectUrl === null ? donePage(look) : redirect(transaction.redirectUrl);
      }),
    },
    { port, tell, lastWord, otherwise: unknownAddress },
  );

  return {
    ...look,
    ...sender,
    url: server.url,
    settings: {
      api_secret,
      template_key,
      finished_secret,
      status_secret,
      progress_secret,
      base_url: server.url,
    },
    sessions: transactions as readonly BerbixTransaction[],
    sessionOf: (challengeId: string) => newestOf(transactions, challengeId),
    play,
    /** Any body as the hook of this kind would sign it. */
    signed,
    /** What the Test button of this hook sends. */
    sample: (kind: HookKind): Message => signed(kind, sampleBody(kind)),
    async close() {
      await sender.close();
      await server.close();
    },
  } satisfies Simulator & { [more: string]: unknown };
}

function isOutcome(outcome: string): outcome is Outcome {
  return Object.hasOwn(OUTCOMES, outcome);
}

function newHookSecret(): string {
  return `whs_test_${newVendorToken()}`;
}
