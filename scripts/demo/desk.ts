import { check } from './steps.ts';

export type Challenge = {
  challenge_id: string;
  verification_url: string;
  status: string;
  expires_at: string;
  verification_code: string;
};

type Proof = { proof: string; jwks_url: string };

/** The help desk at the API: a caller with a key. */
export function createDesk({ url, apiKey }: { url: string; apiKey: string }) {
  const call = async <T = Challenge>(path: string, init: RequestInit = {}): Promise<T> => {
    const headers = { 'X-API-Key': apiKey, 'Content-Type': 'application/json' };
    const answer = await fetch(`${url}/api/v1/challenges${path}`, { ...init, headers });
    const text = await answer.text();
    check(answer.ok, `the API answered ${answer.status}: ${text}`);
    return JSON.parse(text) as T;
  };
  const read = (id: string) => call(`/${id}`);
  return {
    create: (body: object) => call('', { method: 'POST', body: JSON.stringify(body) }),
    read,
    /** The result as a signed document. */
    prove: (id: string) => call<Proof>(`/${id}/proof`),
    async expectStatus(id: string, expected: string): Promise<string> {
      const { status } = await read(id);
      check(status === expected, `the challenge is ${status} instead of ${expected}`);
      return status;
    },
  };
}
