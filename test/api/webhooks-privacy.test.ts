import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createSealer } from '../../src/kernel/crypto.ts';
import { saveAccount, sealContext } from '../../src/providers/store.ts';
import { PERSONAL } from '../../src/simulators/veriff-bodies.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import { vendorSample } from '../fixtures/veriff/vectors.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { createPerson } from '../support/person.ts';
import { readAllRows } from '../support/rows.ts';
import { testEnv } from '../support/server.ts';
import type { Created } from '../support/server.ts';
import { startSink } from '../support/sink.ts';
import { until } from '../support/until.ts';
import { startVeriff } from '../support/veriff.ts';

const START_MS = 20_000;
/** What the vendor's sample says about a person, as far as it is unlike anything else. */
const SAMPLE_PERSON = ['MORGAN', 'SARAH', 'Snowy Ridge', '1967-03-30', '186.153.67.122', 'MADRID'];

let database: TestDatabase;
let server: Awaited<ReturnType<typeof startProcess>>;
let sink: Awaited<ReturnType<typeof startSink>>;
let veriff: Awaited<ReturnType<typeof startVeriff>>;
beforeAll(async () => {
  database = await createDatabase();
  [server, sink, veriff] = await Promise.all([startProcess(database.url), startSink(), startVeriff()]);
});
afterAll(async () => {
  await server.stop();
  await veriff.close();
  await sink.close();
  await database.close();
});

test('nothing about the person, no secret and no link shows in logs, tables or callbacks', async () => {
  const { db } = database;
  const tenant_id = (await findFirstTenant(db))?.id ?? '';
  const seal = (id: string) => server.sealer.seal(JSON.stringify(veriff.settings), sealContext.settings(id));
  const account = await saveAccount(db, { tenant_id, provider: 'veriff', mode: 'test' }, seal);
  veriff.sendWebhooksTo(`${server.url}/webhooks/veriff/${account}`);

  const created = await create();
  const person = createPerson(server);
  await person.start(created).expect(303);
  await person.agent.get(`/challenge/${created.challenge_id}/continue`).expect(200);
  const session = await veriff.sessionOf(created.challenge_id);
  const bodies = [vendorSample.body, Buffer.from('no JSON, about SARAH MORGAN')];
  for (const body of bodies) expect(await veriff.send(body)).toEqual([200]);
  expect(await veriff.send(vendorSample.body, { apiKey: 'wrong' })).toEqual([401]);
  expect(await veriff.decide(session, 'approved')).toEqual([200]);
  const callback = await sink.waitFor(created.challenge_id);
  await until(() => server.said().includes('"outcome":"applied"'), 'the log to tell of it');

  // As some mail gateways write it.
  expect((await fetch(created.verification_url.replace('?', '%3F'))).status).toBe(404);
  await until(
    () => server.said().includes(`/challenge/start/${created.challenge_id}","status":404`),
    'its line',
  );

  const tables = JSON.stringify(await readAllRows(db));
  const { shared_secret } = veriff.settings;
  const token = new URL(created.verification_url).searchParams.get('token') ?? '';
  const links = [session.url, session.token, token];
  for (const secret of [...SAMPLE_PERSON, ...PERSONAL, shared_secret, ...links]) {
    expect(server.said()).not.toContain(secret);
    expect(tables).not.toContain(secret);
    expect(callback.body.toString()).not.toContain(secret);
  }
  // The search above would have found something, had it been there.
  for (const place of [server.said(), tables]) expect(place).toContain(session.vendorData);
});

async function create(): Promise<Created> {
  const answer = await fetch(`${server.url}/api/v1/challenges`, {
    method: 'POST',
    headers: { 'X-API-Key': server.apiKey, 'Content-Type': 'application/json' },
    body: JSON.stringify({ target_user_email: 'ada@example.com', callback_url: sink.url }),
  });
  return (await answer.json()) as Created;
}

/** The server as an operator runs it, logging all it can, with everything it says. */
async function startProcess(databaseUrl: string) {
  const key = randomBytes(32);
  const child = spawn(process.execPath, ['dist/cli.js', 'serve'], {
    env: { ...process.env, ...testEnv(databaseUrl, undefined, key, { LOG_LEVEL: 'trace' }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const said = () => Buffer.concat(chunks).toString();
  const word = (pattern: RegExp) => pattern.exec(said())?.[1];
  const url = await until(() => word(/listens on (\S+)/), 'the server to start', START_MS);
  const apiKey = await until(() => word(/API key +(\S+)/), 'the first key', START_MS);
  return {
    url,
    apiKey,
    sealer: createSealer([key]),
    said,
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}
