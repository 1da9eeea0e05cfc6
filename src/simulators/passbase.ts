import { randomBytes, randomUUID } from 'node:crypto';
import { donePage, hostedPage } from './page.ts';
import { encryptWebhook, newPrivateKey, openParameter } from './passbase-codec.ts';
import { API_PATH, apiRoutes, newIdentity, refusal, secondsNow } from './passbase-identities.ts';
import type { Json, PassbaseIdentity } from './passbase-identities.ts';
import { createSender } from './sender.ts';
import { formOf, html, listen, redirect } from './server.ts';
import type { Call, LastWord, Reply } from './server.ts';
import { newestOf } from './sessions.ts';
import type { Message, SimulatedSession, Simulator, SimulatorOptions } from './simulator.ts';

/** Passbase documents neither how long it waits nor when it tries again, only that it may stop: this is a guess, and short. */
const MANNER = {
  accepts: (status: number) => status === 200,
  answerMs: 10_000,
  retryMs: [1_000, 5_000],
};

const OUTCOMES = {
  approved: 'verified',
  declined: 'failed',
  approved_at_once: 'verified',
  declined_at_once: 'failed',
  pending: 'in-progress',
  watchlist_hit: 'in-progress',
  approved_despite_watchlist: 'verified',
} as const;
type Outcome = keyof typeof OUTCOMES;

type Event = 'VERIFICATION_COMPLETED' | 'VERIFICATION_REVIEWED' | 'WATCHLIST_MONITORING';
/** One webhook of a run: what it says the status is, and what it really is by then. */
type Step = { event: Event; says: string; status: PassbaseIdentity['status']; clean: boolean };

const step = (event: Event, says: string, status = says as Step['status'], clean = true): Step => {
  return { event, says, status, clean };
};
const handedIn = step('VERIFICATION_COMPLETED', 'pending');
/** Approved by automation, but held back because of the watchlist, which the webhook does not say. */
const heldBack = step('VERIFICATION_COMPLETED', 'approved', 'pending', false);
const STEPS: { [outcome in Outcome]: Step[] } = {
  approved: [handedIn, step('VERIFICATION_REVIEWED', 'approved')],
  declined: [handedIn, step('VERIFICATION_REVIEWED', 'declined')],
  approved_at_once: [step('VERIFICATION_COMPLETED', 'approved')],
  declined_at_once: [step('VERIFICATION_COMPLETED', 'declined')],
  pending: [handedIn],
  watchlist_hit: [heldBack, step('WATCHLIST_MONITORING', 'pending', 'pending', false)],
  approved_despite_watchlist: [heldBack, step('VERIFICATION_REVIEWED', 'approved', 'approved', false)],
};

/** Passbase, as far as Countersign needs it. A session begins when somebody opens a link, and with each opening anew. */
export async function startPassbase({
  port,
  tell,
  settings = {},
  lastWord,
}: SimulatorOptions & { lastWord?: LastWord } = {}) {
  const { api_key = randomUUID(), slug = 'countersign' } = settings;
  const webhook_secret = settings.webhook_secret ?? randomBytes(16).toString('hex');
  const private_key = settings.private_key ?? (await newPrivateKey());
  const identities: PassbaseIdentity[] = [];
  const sender = createSender(MANNER, tell);
  const look = { label: 'Passbase', outcomes: OUTCOMES };

  const play = (session: SimulatedSession, outcome: string): Message[] => {
    const identity = identities.find(({ id }) => id === session.id);
    if (!identity || !isOutcome(outcome)) throw new Error(`Passbase cannot play ${outcome}`);
    return STEPS[outcome]
      .flatMap((one) => takeStep(identity, one))
      .map((body) => messageOf(body, webhook_secret));
  };
  const begin = ({ query, headers }: Call): Reply => {
    const metadata = openParameter(query.get('p'), private_key);
    if (metadata === undefined) return html(400, 'This link is not valid');
    const identity = newIdentity(`http://${headers.host}`, metadata);
    identities.push(identity);
    return redirect(identity.url);
  };
  const hosted = (answer: (identity: PassbaseIdentity, call: Call) => Reply) => (call: Call) => {
    const identity = identities.find(({ id }) => id === call.params.id);
    return identity ? answer(identity, call) : html(404, 'No such identity');
  };

  const server = await listen(
    {
      ...apiRoutes(api_key, identities),
      [`GET /${slug}`]: begin,
      'GET /identities/:id': hosted((identity) => hostedPage(look, identity)),
      'POST /identities/:id': hosted((identity, call) => {
        const outcome = formOf(call).get('decision') ?? '';
        if (!isOutcome(outcome)) return html(400, 'No such decision');
        void sender.send(play(identity, outcome));
        // A link has no place for an address to go back to.
        return donePage(look);
      }),
    },
    {
      port,
      tell,
      lastWord,
      otherwise: ({ path }) => (path.startsWith(API_PATH) ? refusal(404) : html(404, 'Not found')),
    },
  );

  return {
    ...look,
    ...sender,
    url: server.url,
    settings: {
      ...{ api_key, webhook_secret, slug, private_key },
      base_url: `${server.url}${API_PATH}`,
      verify_url: server.url,
    },
    sessions: identities as readonly PassbaseIdentity[],
    sessionOf: (challengeId: string) => newestOf(identities, challengeId),
    play,
    async close() {
      await sender.close();
      await server.close();
    },
  } satisfies Simulator & { [more: string]: unknown };
}

/** A webhook as Passbase sends it. */
export function messageOf(body: Json, secret: string): Message & { name: string } {
  const headers = { 'content-type': 'text/plain' };
  return { name: String(body.event), body: encryptWebhook(body, secret), headers: () => headers };
}

/** Changes the identity and returns the webhook about it; what is handed in already is only reviewed from then on. */
function takeStep(identity: PassbaseIdentity, { event, says, status, clean }: Step): Json[] {
  const isAgain = event === 'VERIFICATION_COMPLETED' && identity.processed !== null;
  const { id: key, created, processed } = identity;
  const updated = Math.max(secondsNow(), identity.updated);
  Object.assign(identity, { status, clean, updated, processed: processed ?? updated });
  // What else this event says is not documented.
  if (event === 'WATCHLIST_MONITORING') return [{ event, key }];
  if (isAgain && status === 'pending') return [];
  const said = isAgain ? 'VERIFICATION_REVIEWED' : event;
  return [{ event: said, key, status: says, created, updated, processed: identity.processed }];
}

function isOutcome(text: string): text is Outcome {
  return Object.hasOwn(OUTCOMES, text);
}
