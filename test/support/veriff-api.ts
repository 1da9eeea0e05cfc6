import type { IncomingMessage } from 'node:http';
import { newSession } from './veriff-bodies.ts';
import type { Json, VeriffSession } from './veriff-bodies.ts';
import { sign } from './veriff-sender.ts';
import type { Credentials } from './veriff-sender.ts';

const MAX_VENDOR_DATA = 1_000;

export type ApiCall = { request: IncomingMessage; method: string; path: string; body: Buffer };
export type ApiAnswer = { status: number; json: Json };

/** Checks key and signature as Veriff does, over the body of a POST and the id of a GET, and then does what was asked. */
export function answerApi(
  { request, method, path, body }: ApiCall,
  { apiKey, secret }: Credentials,
  sessions: VeriffSession[],
  origin: string,
): ApiAnswer {
  const id = /^\/v1\/sessions\/([^/]+)\/decision$/.exec(path)?.[1];
  const { 'x-auth-client': client, 'x-hmac-signature': signature } = request.headers;
  if (client !== apiKey || signature !== sign(secret, id ?? body)) return refusal(401);
  if (method === 'POST' && path === '/v1/sessions') return createSession(body, sessions, origin);
  const session = sessions.find((one) => one.id === id);
  if (method !== 'GET' || !session) return refusal(404);
  return { status: 200, json: { status: 'success', verification: session.verification } };
}

function createSession(body: Buffer, sessions: VeriffSession[], origin: string): ApiAnswer {
  const asked = (JSON.parse(body.toString()) as { verification?: Json }).verification;
  const { vendorData = '' } = asked ?? {};
  if (!asked || typeof vendorData !== 'string' || vendorData.length > MAX_VENDOR_DATA) return refusal(400);
  const session = newSession(origin, asked);
  sessions.push(session);
  const { id, url, token } = session;
  const verification = { id, url, vendorData, host: origin, status: 'created', sessionToken: token };
  return { status: 201, json: { status: 'success', verification } };
}

/** How Veriff says no. */
export function refusal(status: number): ApiAnswer {
  return { status, json: { status: 'fail', code: String(status), message: 'The request was refused' } };
}
