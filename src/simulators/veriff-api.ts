import { html, json } from './server.ts';
import type { Call, Handler, Reply, Routes } from './server.ts';
import { newSession } from './veriff-bodies.ts';
import type { Json, VeriffSession } from './veriff-bodies.ts';
import { authHeaders, sign } from './veriff-auth.ts';
import type { Credentials } from './veriff-auth.ts';

const MAX_VENDOR_DATA = 1_000;

/** Veriff's API: key and signature are checked over the body of a POST and the id of a GET, and every answer is signed. */
export function apiRoutes(
  credentials: Credentials,
  sessions: VeriffSession[],
  origin: (call: Call) => string,
): Routes {
  const guard =
    (signedOf: (call: Call) => string | Buffer, answer: Handler): Handler =>
    async (call) => {
      const { 'x-auth-client': client, 'x-hmac-signature': signature } = call.headers;
      const authentic =
        client === credentials.apiKey && signature === sign(credentials.secret, signedOf(call));
      return signed(credentials, authentic ? await answer(call) : refusal(401));
    };
  const readBack = (what: (session: VeriffSession) => Json): Handler =>
    guard(
      ({ params }) => params.id ?? '',
      ({ params }) => {
        const session = sessions.find(({ id }) => id === params.id);
        return session ? json(200, { status: 'success', ...what(session) }) : refusal(404);
      },
    );
  return {
    'POST /v1/sessions': guard(
      ({ body }) => body,
      (call) => createSession(call, sessions, origin(call)),
    ),
    'GET /v1/sessions/:id/decision': readBack(({ verification }) => ({ verification })),
    'GET /v1/sessions/:id/attempts': readBack(({ attempts }) => ({ verifications: attempts })),
    'GET /v1/sessions/:id/watchlist-screening': readBack(({ watchlist }) => ({ data: watchlist })),
  };
}

/** How Veriff says no. */
export function refusal(status: number): Reply {
  return json(status, { status: 'fail', code: String(status), message: 'The request was refused' });
}

/** Any other address: the API answers in JSON, the site with a page. */
export function unknownAddress({ path }: Call): Reply {
  return path.startsWith('/v1/') ? refusal(404) : html(404, 'Not found');
}

function createSession({ body }: Call, sessions: VeriffSession[], origin: string): Reply {
  const asked = verificationOf(body);
  const { vendorData = '' } = asked ?? {};
  if (!asked || typeof vendorData !== 'string' || vendorData.length > MAX_VENDOR_DATA) return refusal(400);
  const session = newSession(origin, asked);
  sessions.push(session);
  const { id, url, token } = session;
  const verification = { id, url, vendorData, host: origin, status: 'created', sessionToken: token };
  return json(201, { status: 'success', verification });
}

function verificationOf(body: Buffer): Json | undefined {
  try {
    return (JSON.parse(body.toString()) as { verification?: Json } | null)?.verification;
  } catch {
    return undefined;
  }
}

function signed(credentials: Credentials, reply: Reply): Reply {
  return { ...reply, headers: { ...reply.headers, ...authHeaders(credentials, reply.body) } };
}
