import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { insertTenant } from '../../src/tenants/store.ts';
import { runCli } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { openSinks } from '../support/deliveries.ts';
import { auditOf, createDesk, NOBODY } from '../support/desk.ts';
import { readAllRows } from '../support/rows.ts';
import { HTTPS, startServer, testEnv } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const sinks = openSinks();
let server: TestServer;
let desk: ReturnType<typeof createDesk>;
let sink: Awaited<ReturnType<typeof sinks.open>>;
const cli = (...args: string[]) => runCli(args, server.settings);
let unsent: ReturnType<typeof runCli>;
let nobody: TestDatabase;
beforeAll(async () => {
  // It takes its time, in which the other tests run.
  nobody = await createDatabase();
  unsent = testWithoutServer();
  server = await startServer();
  desk = createDesk(server);
  sink = await sinks.open((response) => response.end('ok\u001b[31m'));
});
afterAll(async () => {
  await server.close();
  await sinks.close();
  await unsent;
  await nobody.close();
});
/** Asks for a test callback where no server ever was. */
async function testWithoutServer() {
  const env = testEnv(nobody.url, undefined, randomBytes(32));
  await insertTenant(nobody.db, 'Acme');
  await runCli(['integration', 'create', '--name', 'Alone'], env);
  return runCli(['delivery', 'test', '--integration', 'Alone', '--url', 'http://127.0.0.1:9/'], env);
}
/** A delivery that has arrived. */
async function arrived() {
  const { json } = await cli('delivery', 'test', '--integration', 'First steps', '--url', sink.url, '--json');
  return json as { delivery_id: string; endpoint_id: string; event_id: string };
}

describe('beside a running server', () => {
  test('a test callback is sent and its result told, then found again', async () => {
    const told = await cli('delivery', 'test', '--integration', 'First steps', '--url', sink.url);
    expect(told).toMatchObject({ code: 0, stderr: '' });
    expect(told.stdout).toMatch(/^It arrived\.\nAttempt 1 .* HTTP 200 by 127\.0\.0\.1, \d+ ms/);
    // What a receiver says must not command the operator's terminal.
    expect(told.stdout).toContain('answer     ok [31m');
    const [, id = ''] = /--id (\S+)/.exec(told.stdout) ?? [];
    const shown = await cli('delivery', 'show', '--id', id);
    expect(shown.stdout).toContain(`Delivery     ${id} (test mode, test)`);
    expect(shown.stdout).toMatch(/Status {7}delivered, 1 attempt, last: HTTP 200/);
    const json = await cli('delivery', 'show', '--id', id, '--json');
    expect(json.json).toEqual(await desk.read(id));
  });

  test('a test callback that fails says why, and the exit code too', async () => {
    const url = 'http://127.0.0.1:9/';
    const told = await cli('delivery', 'test', '--integration', 'First steps', '--url', url);
    expect(told.code).toBe(1);
    expect(told.stdout).toMatch(/^It did not arrive\.\nAttempt 1 .* connect_refused/);
  });

  test('a resend is found by the server although the command has no queue', async () => {
    const { delivery_id, event_id } = await arrived();
    const received = sink.received.length;
    const sent = await cli('delivery', 'resend', '--id', delivery_id);
    expect(sent).toMatchObject({ code: 0 });
    expect(sent.stdout).toContain('Note: it was delivered before.');
    await until(() => sink.received.length > received, 'the server to find the resend');
    expect(sink.received.at(-1)?.headers['webhook-id']).toBe(event_id);
    const [entry] = await auditOf(server.db, 'delivery_resent');
    expect(entry?.actor).toBe('cli');
  });

  test('a preview shows headers and body', async () => {
    const { delivery_id, event_id } = await arrived();
    const shown = await cli('delivery', 'preview', '--id', delivery_id);
    expect(shown.stdout).toMatch(new RegExp(`^POST ${sink.url}\n`));
    expect(shown.stdout).toContain(`\nwebhook-id: ${event_id}\n`);
    expect(shown.stdout).toContain('"event_type":"endpoint.test"');
  });

  test('an endpoint is listed, disabled and enabled', async () => {
    const { endpoint_id, delivery_id } = await arrived();
    const origin = new URL(sink.url).origin;
    expect((await cli('endpoint', 'list')).stdout).toContain(
      `${endpoint_id}  test  First steps  ${origin}\n  healthy; waiting: 0; last success: 20`,
    );
    const disabled = await cli('endpoint', 'disable', '--id', endpoint_id);
    expect(disabled.stdout).toMatch(/disabled since .* \(operator\)[^]*Undo: countersign endpoint enable/);
    const refused = await cli('delivery', 'resend', '--id', delivery_id);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(`countersign endpoint enable --id ${endpoint_id}`);
    const enabled = await cli('endpoint', 'enable', '--id', endpoint_id, '--replay', '--json');
    expect(enabled.json).toMatchObject({ endpoint_id, state: 'healthy', replayed: 0 });
    const all = (await cli('endpoint', 'list', '--json')).json.endpoints as { endpoint_id: string }[];
    expect(all.map((one) => one.endpoint_id)).toContain(endpoint_id);
  });
});

describe('without a worker', () => {
  let quiet: TestServer;
  let quietDesk: ReturnType<typeof createDesk>;
  const ask = (...args: string[]) => runCli(args, quiet.settings);
  beforeAll(async () => {
    quiet = await startServer({ role: 'api', env: HTTPS });
    quietDesk = createDesk(quiet);
  });
  afterAll(() => quiet.close());

  test('the list shows both modes, filtered, page after page', async () => {
    const live = await quiet.integration({ mode: 'live' });
    const dead = await quietDesk.make({ dead_reason: 'refused' });
    const other = await quietDesk.make({ apiKey: live.apiKey, callback_url: 'https://example.com/' });
    const waiting = await quietDesk.make({ status: 'pending' });
    const idsOf = async (...args: string[]) => {
      const { json } = await ask('delivery', 'list', '--json', ...args);
      return (json.data as { delivery_id: string }[]).map(({ delivery_id }) => delivery_id);
    };
    expect(await idsOf()).toEqual([waiting.delivery_id, other.delivery_id, dead.delivery_id]);
    expect(await idsOf('--status', 'dead', '--reason', 'refused')).toEqual([dead.delivery_id]);
    expect(await idsOf('--integration', live.integrationId)).toEqual([other.delivery_id]);
    expect(await idsOf('--since', '2h', '--until', '1h')).toEqual([]);
    const first = await ask('delivery', 'list', '--limit', '2');
    expect(first.stdout).toMatch(/dead \(exhausted\), 1 attempt/);
    const [, cursor = ''] = /More: add --cursor (\S+)/.exec(first.stdout) ?? [];
    expect(await idsOf('--limit', '2', '--cursor', cursor)).toEqual([dead.delivery_id]);
  });

  test('a replay is a dry run and says so, until --yes', async () => {
    const { event_id } = await quietDesk.make({ callback_url: 'http://127.0.0.1:16/' });
    const { endpoint_id } = (await quietDesk.ofEvent(event_id))[0] ?? {};
    const filter = ['--endpoint', endpoint_id ?? '', '--rate', '1'];
    const before = await readAllRows(quiet.db);
    const dry = await ask('delivery', 'replay', ...filter);
    expect(dry.stdout).toMatch(/^Matching +1\n {2}can be sent again +1\n/);
    expect(dry.stdout).toMatch(/DRY RUN: nothing was sent. With --yes, sending takes about 1 s/);
    expect(await readAllRows(quiet.db)).toEqual(before);
    const done = await ask('delivery', 'replay', ...filter, '--yes');
    expect(done.stdout).toContain('Sending 1 again; the last goes out in about 1 s.');
    expect(await quietDesk.ofEvent(event_id)).toHaveLength(2);
    const again = await ask('delivery', 'replay', ...filter, '--yes', '--json');
    expect(again.json).toMatchObject({ matching: 1, already_resent: 1, replayed: 0 });
    const [entry] = await auditOf(quiet.db, 'deliveries_replayed');
    expect(entry).toMatchObject({ actor: 'cli', detail: { replayed: 1 } });
  });

  test.each([
    ['what is no id', ['delivery', 'show', '--id', "1' or true"], 2, /countersign delivery list/],
    ['an unknown endpoint', ['endpoint', 'disable', '--id', NOBODY], 1, /Endpoint not found/],
    ['an unknown status', ['delivery', 'list', '--status', 'lost'], 1, /--status must be one of pending/],
    ['a time that is none', ['delivery', 'replay', '--since', 'noon'], 1, /--since must be a time/],
    ['a rate that is too high', ['delivery', 'replay', '--rate', '101'], 1, /--rate must be .* to 100/],
    [
      'a private address',
      ['delivery', 'test', '--integration', 'First steps', '--url', 'http://10.1.2.3/'],
      1,
      /cannot be called/,
    ],
    ['no URL anywhere', ['delivery', 'test', '--integration', 'First steps'], 1, /callback_url is needed/],
  ])('%s is refused with the cure', async (_name, args, code, message) => {
    const ran = await ask(...args);
    expect(ran.code).toBe(code);
    expect(ran.stderr).toMatch(message);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1); // no stack trace
  });
});

test.each([
  ['delivery', ['list', 'show', 'preview', 'resend', 'replay', 'test']],
  ['endpoint', ['list', 'disable', 'enable']],
])('every command about a %s has help', async (noun, verbs) => {
  const help = await runCli([noun, '--help'], {});
  expect(help.code).toBe(0);
  for (const verb of verbs) expect(help.stdout).toContain(`Usage: countersign ${noun} ${verb} [OPTIONS]`);
});

test('a test that nobody sends says how to look later', async () => {
  const told = await unsent;
  expect(told.code).toBe(1);
  expect(told.stdout).toMatch(/is a server running[^]*countersign delivery show --id \S+/);
});
