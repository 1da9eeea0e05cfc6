import { createHmac } from 'node:crypto';
import { decisionBody, eventBody, newSession } from '../../../src/simulators/veriff-bodies.ts';
import type { Decision, Json } from '../../../src/simulators/veriff-bodies.ts';
import {
  curp,
  flowEvent,
  fullAuto,
  ine,
  ineAndCurp,
  userStatus,
  watchlist,
} from '../../../test/fixtures/veriff/types.ts';
import { ATTEMPT_ID, CHALLENGE_ID, SESSION_ID } from '../../../test/fixtures/veriff/vectors.ts';
import type { Ids } from './edits.ts';
import { headerOf, hexSpoilers, withHeader } from './vendor.ts';
import type { Claim, Forgery, Sample, Vendor, Wire } from './vendor.ts';

const NAMES = ['x', 'vrf'];
const ENDS: { [word: string]: Claim['to'] } = {
  approved: 'verified',
  declined: 'failed',
  expired: 'expired',
  abandoned: 'expired',
};
const DECISIONS: Decision[] = [
  'approved',
  'declined',
  'expired',
  'abandoned',
  'review',
  'resubmission_requested',
];

/** Veriff: an HMAC over the body under a shared secret, beside the client's key. */
export function veriffVendor(secrets: (name: string) => string): Vendor {
  const [apiKey, secret, another] = [secrets('key'), secrets('secret'), secrets('another')];
  const sign = (body: Buffer, key = secret) => createHmac('sha256', key).update(body).digest('hex');
  const spoiled = (spoil: (hex: string, at: number) => string | undefined): Forgery => {
    return (sealed, _, at) => withHeader(sealed, 'x-hmac-signature', (hex) => spoil(hex, at));
  };
  const add = (name: string, value: string): Forgery => {
    return (sealed) => ({ ...sealed, headers: [...sealed.headers, [name, value]] });
  };

  return {
    name: 'veriff',
    settings: { api_key: apiKey, shared_secret: secret, base_url: 'https://veriff.example' },
    weight: 4,
    samples: (ids) => samplesOf(ids).map((body): Sample => ({ text: JSON.stringify(body), hook: '' })),
    seal: (body) => ({
      headers: [
        ['content-type', 'application/json'],
        ['x-auth-client', apiKey],
        ['x-hmac-signature', sign(body)],
      ],
      body,
    }),
    forgeries: {
      ...Object.fromEntries(Object.entries(hexSpoilers).map(([name, spoil]) => [name, spoiled(spoil)])),
      'another secret': (sealed) => withHeader(sealed, 'x-hmac-signature', () => sign(sealed.body, another)),
      'signed other bytes': (sealed) =>
        withHeader(sealed, 'x-hmac-signature', () => sign(Buffer.concat([sealed.body, Buffer.from(' ')]))),
      'plain hash': (sealed) =>
        withHeader(sealed, 'x-hmac-signature', () =>
          createHmac('sha256', '').update(sealed.body).digest('hex'),
        ),
      'another client': (sealed) => withHeader(sealed, 'x-auth-client', () => another),
      'no client': (sealed) => withHeader(sealed, 'x-auth-client', () => undefined),
      'client twice': add('x-auth-client', apiKey),
      'a wrong newer name': add('vrf-hmac-signature', '0'.repeat(64)),
      'half a newer pair': add('vrf-auth-client', apiKey),
      'the old name': ({ headers, body }) => ({
        headers: headers.map(([name, value]) => [name === 'x-hmac-signature' ? 'x-signature' : name, value]),
        body,
      }),
      compressed: add('content-encoding', 'gzip'),
    },
    accepts: (wire) => (isAuthentic(wire) ? wire.body.toString('utf8') : undefined),
    claims: claimOf,
  };

  function isAuthentic(wire: Wire): boolean {
    const pairs = NAMES.map((name) => [
      headerOf(wire, `${name}-auth-client`),
      headerOf(wire, `${name}-hmac-signature`),
    ]);
    const present = pairs.filter((pair) => pair.some((value) => value !== undefined));
    const right = present.every(
      ([client, hex]) => client === apiKey && hex?.toLowerCase() === sign(wire.body),
    );
    return present.length > 0 && right && headerOf(wire, 'content-encoding') === undefined;
  }
}

function samplesOf({ challengeId, sessionId, attemptId }: Ids): Json[] {
  const session = {
    ...newSession('https://veriff.example', { vendorData: challengeId }),
    ...{ id: sessionId, attemptId },
  };
  const rename = (body: object): Json =>
    JSON.parse(
      JSON.stringify(body)
        .replaceAll(SESSION_ID, sessionId)
        .replaceAll(ATTEMPT_ID, attemptId)
        .replaceAll(CHALLENGE_ID, challengeId),
    ) as Json;
  const decided = { decisionTime: '2026-01-15T10:05:00.123456Z' };
  return [
    ...DECISIONS.map((word) => decisionBody(session, word, decided)),
    ...[eventBody(session, 'started'), eventBody(session, 'submitted')],
    ...[flowEvent, watchlist, ine, curp, ineAndCurp, userStatus, fullAuto].map(rename),
  ];
}

function claimOf(text: string): Claim | undefined {
  let body: Json;
  try {
    body = Object(JSON.parse(text)) as Json;
  } catch {
    return undefined;
  }
  const verification = Object(body.verification) as Json;
  const automatic = Object((Object(body.data) as Json).verification) as Json;
  const claims = [
    {
      word: verification.status,
      session: verification.id,
      attempt: verification.attemptId,
      echo: verification.vendorData,
    },
    { word: automatic.decision, session: body.sessionId, attempt: body.attemptId, echo: body.vendorData },
  ];
  const claim = claims.find(({ word }) => typeof word === 'string' && Object.hasOwn(ENDS, word));
  if (!claim) return undefined;
  const nameOf = (id: unknown) => (typeof id === 'string' ? id : undefined);
  const to = ENDS[claim.word as string]!;
  return {
    to,
    session: nameOf(claim.session),
    attempt: nameOf(claim.attempt),
    echo: claim.echo ?? undefined,
  };
}
