import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runCli } from '../support/cli.ts';
import { isSigned } from '../support/proofs.ts';
import type { Jwk } from '../support/proofs.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

type Listed = { keys: { kid: string; state: string; retired_at: string | null }[] };

describe('keys for proofs on the command line', () => {
  let server: TestServer;
  let id: string;
  let first: string;
  const cli = (...args: string[]) => runCli(['proof-key', ...args, '--json'], server.settings);
  const listed = async () => ((await cli('list')).json as Listed).keys;
  const published = async () =>
    ((await server.request.get('/.well-known/jwks.json').expect(200)).body as { keys: Jwk[] }).keys;
  const prove = async () => {
    const path = `/api/v1/challenges/${id}/proof`;
    const { body } = await server.request.get(path).set('X-API-Key', server.apiKey).expect(200);
    return body as { proof: string; kid: string };
  };
  beforeAll(async () => {
    server = await startServer({ role: 'api' });
    ({ challenge_id: id } = await server.create());
    const path = `/api/v1/challenges/${id}/simulate`;
    await server.request.post(path).set('X-API-Key', server.apiKey).send({ outcome: 'verify' }).expect(200);
    first = (await prove()).kid;
  });
  afterAll(() => server.close());

  test('a rotation is published at once, and signs from the next day', async () => {
    expect(await listed()).toMatchObject([{ kid: first, state: 'signing' }]);
    const { kid, signs_from } = (await cli('rotate')).json as { kid: string; signs_from: string };
    const hours = (Date.parse(signs_from) - Date.now()) / 3_600_000;
    expect(Math.round(hours)).toBe(24);
    expect(await listed()).toMatchObject([
      { kid: first, state: 'signing' },
      { kid, state: 'next' },
    ]);
    expect((await published()).map((key) => key.kid)).toEqual([first, kid]);
    expect((await prove()).kid).toBe(first);
    const again = await cli('rotate');
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining(`key ${kid} waits already`) });
  });

  test('a rotation at once signs at once; what was signed before stays good, and it says what to do after a leak', async () => {
    const before = await prove();
    const rotated = await runCli(['proof-key', 'rotate', '--now'], server.settings);
    expect(rotated.stdout).toMatch(/Proofs by them stay good.*\n.*proof-key revoke --kid/);
    const after = await prove();
    expect(after.kid).not.toBe(before.kid);
    expect(rotated.stdout).toContain(`New key ${after.kid}: it signs from now on.`);
    for (const { proof } of [before, after]) expect(isSigned(proof, await published())).toBe(true);
    const states = (await listed()).map(
      ({ state, retired_at }) => `${state}${retired_at ? ', deleted' : ''}`,
    );
    expect(states).toEqual(['replaced, deleted', 'signing', 'replaced, deleted']);
    const shown = await runCli(['proof-key', 'list'], server.settings);
    const time = '20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ';
    const line = `${before.kid}  replaced  signs from ${time}, private half deleted ${time}\n`;
    expect(shown.stdout).toMatch(new RegExp(line));
    expect((await listed())[0]?.retired_at).toMatch(new RegExp(`^${time}$`));
  });

  test('a leaked key leaves the list with all it signed, and the proof can be had again', async () => {
    const leaked = await prove();
    const revoked = await cli('revoke', '--kid', leaked.kid);
    expect(revoked).toMatchObject({ code: 0, json: { revoked: leaked.kid } });
    expect(isSigned(leaked.proof, await published())).toBe(false);
    const again = await prove();
    expect(again.kid).toBe(revoked.json.signing);
    expect(isSigned(again.proof, await published())).toBe(true);
    const unknown = await cli('revoke', '--kid', leaked.kid);
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('proof-key list') });
  });

  test('a key that begins with a dash can be named', async () => {
    const unknown = await cli('revoke', '--kid', '-0none');
    expect(unknown.stderr).toContain('there is no key \\"-0none\\"');
  });

  test('what was done is in the audit trail', async () => {
    const entries = await server.db
      .selectFrom('audit_entries')
      .select(['actor', 'action'])
      .where('action', 'like', 'proof_key_%')
      .orderBy('id')
      .execute();
    expect(entries).toEqual([
      { actor: 'cli', action: 'proof_key_rotated' },
      { actor: 'cli', action: 'proof_key_rotated' },
      { actor: 'cli', action: 'proof_key_revoked' },
    ]);
  });
});
