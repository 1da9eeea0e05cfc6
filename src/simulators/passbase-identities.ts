import { randomUUID } from 'node:crypto';
import { json } from './server.ts';
import type { Call, Handler, Reply, Routes } from './server.ts';
import type { SimulatedSession } from './simulator.ts';

export type Json = { [field: string]: unknown };
/** A person's run as Passbase keeps it; times are unix seconds, `processed` null until it is handed in. */
export type PassbaseIdentity = SimulatedSession & {
  status: 'created' | 'pending' | 'approved' | 'declined';
  created: number;
  updated: number;
  processed: number | null;
  metadata: Json | null;
  clean: boolean | null;
};

export const API_PATH = '/verification/v2';
const MAX_LIMIT = 100;
const USUAL_LIMIT = 20;

/** The person and the document that every identity shows: made up, and never to be seen outside the API. */
export const PERSONAL = ['PETRONELLA', 'QUILLFEATHER', 'petronella@post.example', 'P5531907Z'] as const;

/** The identity that comes into being when somebody opens a link. */
export function newIdentity(origin: string, metadata: Json | null): PassbaseIdentity {
  const id = randomUUID();
  const now = secondsNow();
  const named = metadata?.challenge_id;
  return {
    id,
    url: `${origin}/identities/${id}`,
    challengeId: typeof named === 'string' ? named : null,
    status: 'created',
    created: now,
    updated: now,
    processed: null,
    metadata,
    clean: null,
  };
}

/** The clock by which Passbase writes. */
export function secondsNow(): number {
  return Math.floor(Date.now() / 1_000);
}

/** Passbase's API as far as it reads identities back: one by its id, or all by cursor; the secret key opens it. */
export function apiRoutes(apiKey: string, identities: readonly PassbaseIdentity[]): Routes {
  const guard =
    (answer: Handler): Handler =>
    (call) =>
      call.headers['x-api-key'] === apiKey ? answer(call) : refusal(401);
  return {
    [`GET ${API_PATH}/identities`]: guard((call) => list(call, identities)),
    [`GET ${API_PATH}/identities/:id`]: guard(({ params }) => {
      const identity = identities.find(({ id }) => id === params.id);
      return identity ? json(200, shown(identity)) : refusal(404);
    }),
  };
}

/** How Passbase says no. */
export function refusal(status: number): Reply {
  return json(status, { code: status, message: 'The request was refused' });
}

/** Newest first. The cursor is the base64 of the last place seen, as in Passbase's own example. */
function list({ query }: Call, identities: readonly PassbaseIdentity[]): Reply {
  const asked = Number(query.get('limit') ?? USUAL_LIMIT);
  const before = placeOf(query.get('cursor') ?? cursorAt(identities.length));
  if (!Number.isInteger(asked) || asked < 1 || before === undefined) return refusal(400);
  const from = Math.max(before - Math.min(asked, MAX_LIMIT), 0);
  const data = identities.slice(from, before).map(shown).reverse();
  return json(200, { cursor: from > 0 ? { next: cursorAt(from) } : {}, data });
}

function cursorAt(place: number): string {
  return Buffer.from(`id:${place}`).toString('base64');
}

function placeOf(cursor: string): number | undefined {
  const place = /^id:(\d{1,9})$/.exec(Buffer.from(cursor, 'base64').toString())?.[1];
  return place === undefined ? undefined : Number(place);
}

function shown({ id, status, created, updated, metadata, clean }: PassbaseIdentity): Json {
  const [first_name, last_name, email, document_number] = PERSONAL;
  const watchlist = clean === null ? null : { clean, listings: {}, media: [], sources: [], types: [] };
  return {
    ...{ id, status, score: 0.97, created, updated },
    owner: { first_name, last_name, email },
    resources: [{ id: randomUUID(), type: 'PASSPORT', datapoints: { document_number } }],
    ...(metadata === null ? {} : { metadata }),
    watchlist,
  };
}
