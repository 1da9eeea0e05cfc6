import { createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openParameter } from '../../src/simulators/passbase-codec.ts';
import { createPerson } from '../support/person.ts';
import { runCli } from '../support/cli.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const SECRET = '0123456789abcdef0123456789ABCDEF';
const PEM = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/;

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const set = (change: Record<string, string> = {}) => {
  const options = { 'api-key': 'sk_1', 'webhook-secret': SECRET, slug: 'acme', mode: 'live', ...change };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  return runCli(['provider', 'set', 'passbase', ...args], server.settings);
};

test('an operator enters three things, pastes the public key at Passbase, and keeps it when something changes', async () => {
  const first = await set({ mode: 'test' });
  expect(first.stderr).toBe('');
  expect(first.stdout).toMatch(/^ {2}http\S+\/webhooks\/passbase\/[0-9a-f-]{36}$/m);
  expect(first.stdout).not.toContain(SECRET);
  const [pem = ''] = PEM.exec(first.stdout) ?? [];
  expect(createPublicKey(pem).asymmetricKeyDetails).toMatchObject({ modulusLength: 4_096 });
  const second = await set({ mode: 'test', slug: 'acme-2' });
  expect(second.stdout).toContain(pem);

  // What people are sent with opens with the very key that was pasted.
  const created = await server.create({ provider: 'passbase' });
  const person = createPerson(server);
  await person.start(created).expect(303);
  const onward = await person.agent.get(`/challenge/${created.challenge_id}/continue`).expect(200);
  const link = new URL(/<a href="([^"]+)"/.exec(onward.text)?.[1] ?? '');
  expect(link.origin + link.pathname).toBe('https://verify.passbase.com/acme-2');
  expect(openParameter(link.searchParams.get('p'), pem)).toEqual({
    challenge_id: created.challenge_id,
    run_id: expect.any(String),
  });
});

test.each([
  ['webhook-secret', 'short', 'exactly 32'],
  ['slug', 'https://verify.passbase.com/acme', 'last part'],
  ['verify-url', 'http://verify.passbase.com', 'complete address'],
  ['base-url', 'http://api.passbase.com', 'https'],
])('what cannot be right is refused by name: --%s %s', async (option, value, cure) => {
  const { code, stdout, stderr } = await set({ [option]: value });
  expect(code).not.toBe(0);
  expect(stdout).toBe('');
  expect(stderr).toContain(cure);
});
