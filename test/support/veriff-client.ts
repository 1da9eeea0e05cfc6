import { expect } from '@jest/globals';
import { authHeaders } from '../../src/simulators/veriff-auth.ts';
import type { Credentials } from '../../src/simulators/veriff-auth.ts';
import type { startVeriff } from '../../src/simulators/veriff.ts';
import { CHALLENGE_ID } from '../fixtures/veriff/vectors.ts';

type Simulator = Awaited<ReturnType<typeof startVeriff>>;
type Json = { [field: string]: unknown };
type Answer = Json & { status: string; verification: Json | null };

export const RETURN_URL = 'https://id.example/challenge/x/result';

/** Speaks to a Veriff stand-in as an integration does: `signed` is what the signature is made over. */
export function clientOf(veriff: Simulator) {
  const api = async (
    method: string,
    path: string,
    signed: string,
    body?: string,
    as: Credentials = veriff.credentials,
  ) => {
    const answer = await fetch(`${veriff.url}/v1${path}`, {
      method,
      headers: authHeaders(as, signed),
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    return { status: answer.status, text, headers: answer.headers, json: JSON.parse(text) as Answer };
  };
  return {
    api,
    /** Opens a session for the vectors' challenge. */
    async open() {
      const body = JSON.stringify({ verification: { callback: RETURN_URL, vendorData: CHALLENGE_ID } });
      const created = await api('POST', '/sessions', body, body);
      expect(created.status).toBe(201);
      return { session: await veriff.sessionOf(CHALLENGE_ID), created };
    },
  };
}

export type VeriffClient = ReturnType<typeof clientOf>;
