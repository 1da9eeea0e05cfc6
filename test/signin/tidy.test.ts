import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readConfig } from '../../src/config.ts';
import { newId } from '../../src/kernel/id.ts';
import { serve } from '../../src/serve.ts';
import type { Running } from '../../src/serve.ts';
import { insertAttempt, useOnce } from '../../src/signin/attempts-store.ts';
import { runCli } from '../support/cli.ts';
import { setIdp } from '../support/idp.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const DAY_MS = 24 * 3_600_000;
const DAYS = 7;

let server: TestServer;
let idpId: string;
let worker: Running | undefined;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
  idpId = await setIdp(server, 'oidc', {
    issuer: 'https://idp.example.com',
    client_id: 'c',
    client_secret: 's',
  });
});
afterEach(() => worker?.close());
afterAll(() => server.close());

/** Whoever looks hourly looks at once when it starts. */
async function tidy(): Promise<void> {
  worker = await serve(readConfig({ ...server.settings, ATTEMPT_RETENTION_DAYS: String(DAYS) }), 'worker');
}

async function clicked(ago: number): Promise<{ challengeId: string; id: string }> {
  const { challenge_id: challengeId } = await server.create({ provider: 'oidc' });
  const id = newId();
  await insertAttempt(server.db, {
    ...{ id, challenge_id: challengeId, identity_provider_id: idpId },
    ...{ state_hash: randomBytes(8).toString('hex'), kept_sealed: 'sealed', browser_hash: 'hash' },
    ...{ browser: 'a-browser', address: '192.0.2.7', clicked_at: new Date(Date.now() - ago) },
  });
  return { challengeId, id };
}

/** An attempt that ended with `subject_mismatch`, so long ago. */
async function ended(ago: number) {
  const attempt = await clicked(ago);
  await server.db
    .updateTable('sign_in_attempts')
    .set({
      status: 'ended',
      outcome: 'subject_mismatch',
      ended_at: new Date(Date.now() - ago),
      kept_sealed: null,
    })
    .where('id', '=', attempt.id)
    .execute();
  return attempt;
}

const cancel = (id: string) =>
  server.request.post(`/api/v1/challenges/${id}/cancel`).set('X-API-Key', server.apiKey).expect(200);
const attemptOf = (id: string) =>
  server.db.selectFrom('sign_in_attempts').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

describe('what is left of a sign-in', () => {
  test('is what came of it, without address and browser, once attempts have been kept for long enough', async () => {
    const old = await ended((DAYS + 1) * DAY_MS);
    const recent = await ended((DAYS - 1) * DAY_MS);
    for (const { challengeId } of [old, recent]) await cancel(challengeId);
    // Tries of this one are still counted by browser and address.
    const open = await ended((DAYS + 1) * DAY_MS);
    await tidy();
    await until(async () => (await attemptOf(old.id)).address === null, 'the old attempt to be forgotten');
    expect(await attemptOf(old.id)).toMatchObject({
      browser: '',
      address: null,
      outcome: 'subject_mismatch',
    });
    for (const { id } of [recent, open])
      expect(await attemptOf(id)).toMatchObject({ browser: 'a-browser', address: '192.0.2.7' });
    const shown = (id: string) => runCli(['challenge', 'show', '--id', id], server.settings);
    expect((await shown(old.challengeId)).stdout).toMatch(
      /^ {2}1 {2}oidc {2}Acme .*subject_mismatch at \S+$/m,
    );
    expect((await shown(recent.challengeId)).stdout).toMatch(/from 192\.0\.2\.7 {2}browser a-browser$/m);
  });

  test('is that nobody came back, after half an hour', async () => {
    const away = await clicked(31 * 60_000);
    const still = await clicked(29 * 60_000);
    await tidy();
    await until(async () => (await attemptOf(away.id)).status === 'ended', 'the way to be given up');
    expect(await attemptOf(away.id)).toMatchObject({ outcome: 'timed_out', kept_sealed: null });
    expect(await attemptOf(still.id)).toMatchObject({ status: 'open', kept_sealed: 'sealed' });
  });
});

test('an answer that counts once is remembered for as long as it could be brought again', async () => {
  await useOnce(server.db, 'over', new Date(Date.now() - 1_000));
  await useOnce(server.db, 'good', new Date(Date.now() + 60_000));
  const kept = () => server.db.selectFrom('used_assertions').select('id').execute();
  await tidy();
  await until(async () => (await kept()).length === 1, 'the one whose time is over to be forgotten');
  expect(await kept()).toEqual([{ id: 'good' }]);
});
