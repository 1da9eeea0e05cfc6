import { expect } from '@jest/globals';

export type Expected = { code: string; error?: string; field?: string };
type Answer = { status: number; text: string; headers: { [name: string]: unknown } };

/** Expects the one shape every refusal has: what is wrong, a word for programs, where, and the request's id. */
export function expectRefusal(answer: Answer, status: number, { code, error, field }: Expected): void {
  const body: unknown = JSON.parse(answer.text);
  expect({ status: answer.status, body }).toEqual({
    status,
    body: {
      error: error ?? expect.stringMatching(/\S/),
      code,
      ...(field === undefined ? {} : { field }),
      request_id: answer.headers['x-request-id'],
    },
  });
  expect(String(answer.headers['content-type'])).toMatch(/^application\/json\b/);
}
