import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isoTime } from '../../src/challenges/present.ts';
import { decisionBody, PERSONAL } from '../../src/simulators/veriff-bodies.ts';
import { runCli } from '../support/cli.ts';
import type { Ran } from '../support/cli.ts';
import { auditOf, NOBODY } from '../support/desk.ts';
import { insertInbound, insertRefusal } from '../support/inbound.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';

type Line = { webhook_id: string; kind: string; outcome: string };

let story: VeriffStory;
let id: string;
beforeAll(async () => {
  story = await startVeriffStory();
  const { veriff } = story;
  const begun = await story.begin();
  id = begun.id;
  await veriff.tell(begun.session, 'started');
  expect(await veriff.send(decisionBody(begun.session, 'approved'), { secret: 'wrong' })).toEqual([401]);
  veriff.behave({ copies: 2 });
  await veriff.decide(begun.session, 'approved');
  veriff.behave();
  await story.outcomes(begun.session);
});
afterAll(() => story.close());

const cli = (...args: string[]): Promise<Ran> => runCli(['webhook', ...args], story.server.settings);
const list = (...args: string[]) => cli('list', '--provider', 'veriff', ...args);
const linesOf = async (...args: string[]) => (await list('--json', ...args)).json.data as Line[];
const idOf = async (outcome: string) => (await linesOf('--outcome', outcome))[0]?.webhook_id ?? '';

describe('webhook list', () => {
  test('shows what came in as a table, newest first', async () => {
    const { code, stdout, stderr } = await list();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [head = '', ...lines] = stdout.trim().split('\n');
    expect(head.split(/ +/)).toEqual([
      ...['TIME', 'KIND', 'OUTCOME', 'COPIES', 'ADDRESS', 'CHALLENGE', 'WEBHOOK'],
    ]);
    const time = '20\\d\\d-\\S+Z';
    const uuid = '[0-9a-f-]{36}';
    expect(lines).toEqual([
      expect.stringMatching(`^${time}  decision +applied +2 +127.0.0.1  ${id}  ${uuid}$`),
      expect.stringMatching(`^${time}  refused +refused \\(not_authentic\\) +1 +127.0.0.1  - +${uuid}$`),
      expect.stringMatching(`^${time}  event +recorded +1 +127.0.0.1  ${id}  ${uuid}$`),
    ]);
    // All cells of a column begin at the same place.
    for (const line of lines) expect(line[head.indexOf('OUTCOME') - 1]).toBe(' ');
    expect(stdout).not.toMatch(new RegExp(PERSONAL.join('|')));
  });

  test('says the same as the API, filtered and page after page', async () => {
    const { server, accountId } = story;
    const api = async (query: string) =>
      (
        await server.request
          .get(`/api/v1/provider-accounts/${accountId}/webhooks${query}`)
          .set('X-API-Key', server.apiKey)
      ).body as unknown;
    expect((await list('--json')).json).toEqual(await api(''));
    expect((await list('--json', '--outcome', 'duplicate')).json).toEqual(await api('?outcome=duplicate'));
    expect((await linesOf('--challenge', id)).map(({ kind }) => kind)).toEqual(['decision', 'event']);
    const first = await list('--limit', '2');
    const [, cursor = ''] = /\nMore: add --cursor (\S+)\n$/.exec(first.stdout) ?? [];
    expect((await linesOf('--limit', '2', '--cursor', cursor)).map(({ kind }) => kind)).toEqual(['event']);
    expect((await list('--challenge', NOBODY)).stdout).toBe('No webhooks.\n');
  });

  test('finds those of a challenge without being told the provider, and all of their pages', async () => {
    const ofChallenge = (...args: string[]) => cli('list', '--challenge', id, ...args);
    expect((await ofChallenge('--json')).json).toEqual((await list('--json', '--challenge', id)).json);
    const first = await ofChallenge('--limit', '1');
    const [, cursor = ''] = /\nMore: add --cursor (\S+)\n$/.exec(first.stdout) ?? [];
    const { json } = await ofChallenge('--json', '--cursor', cursor);
    expect((json.data as Line[]).map(({ kind }) => kind)).toEqual(['event']);
    expect((await ofChallenge('--outcome', 'refused')).stdout).toBe('No webhooks.\n');

    const { server } = story;
    const sandbox = await server.create({ provider: 'sandbox' });
    const none = await cli('list', '--challenge', sandbox.challenge_id);
    expect(none).toMatchObject({ code: 0, stdout: 'No webhooks.\n' });
    const foreign = await server.create({}, (await server.integration({ newTenant: true })).apiKey);
    for (const one of [foreign.challenge_id, NOBODY]) {
      const ran = await cli('list', '--challenge', one);
      expect(ran).toMatchObject({ code: 1, stdout: '' });
      expect(ran.stderr).toContain(`There is no challenge ${one}`);
    }
  });

  test('says what is wrong with an option by its name', async () => {
    const wrong: [string[], RegExp][] = [
      [['--outcome', 'lost'], /--outcome must be one of received, applied,/],
      [['--challenge', '4711'], /--challenge must be an id \(a UUID\)/],
      [['--limit', '101'], /limit must be a whole number from 1 to 100/],
      [['--cursor', 'x'], /cursor must be the next_cursor/],
      [['--mode', 'live'], /veriff is not set up for live mode; see `countersign provider list`/],
      [['--mode', 'prod'], /--mode must be test or live/],
    ];
    for (const [args, message] of wrong) {
      const ran = await list(...args);
      expect([args, ran.code === 0, ran.stdout]).toEqual([args, false, '']);
      expect(ran.stderr).toMatch(message);
    }
    expect((await cli('list')).stderr).toContain('--provider or --challenge missing');
  });
});

describe('webhook show', () => {
  test('shows all that is known of one, but not what it says', async () => {
    const webhook = await idOf('applied');
    const { code, stdout } = await cli('show', '--id', webhook);
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.split(/ +/)[0])).toEqual([
      ...[
        'Webhook',
        'Account',
        'Kind',
        'Came',
        'From',
        'Outcome',
        'Session',
        'Attempt',
        'Challenge',
        'Body',
        '',
      ],
    ]);
    expect(stdout).toContain(`Account    ${story.accountId} (veriff, test mode)`);
    expect(stdout).toMatch(/Came {7}20\S+Z \(2 times, last 20\S+Z\)/);
    expect(stdout).toContain(`Challenge  ${id}`);
    expect(stdout).not.toMatch(new RegExp(PERSONAL.join('|')));
    const { json } = await cli('show', '--id', webhook, '--json');
    expect(json).toMatchObject({
      webhook_id: webhook,
      provider: 'veriff',
      mode: 'test',
      copies: 2,
      tries: 0,
    });
    expect(json).not.toHaveProperty('body');
    expect(await auditOf(story.server.db, 'webhook_body_shown')).toEqual([]);
  });

  test('with --body also says what it says, and the audit trail notes it', async () => {
    const { db } = story.server;
    const webhook = await idOf('applied');
    const { code, stdout } = await cli('show', '--id', webhook, '--body');
    expect(code).toBe(0);
    for (const mark of PERSONAL) expect(stdout).toContain(mark);
    const entry = {
      challenge_id: id,
      actor: 'cli',
      detail: { webhook_id: webhook, account_id: story.accountId },
    };
    expect(await auditOf(db, 'webhook_body_shown')).toEqual([expect.objectContaining(entry)]);
    const { json } = await cli('show', '--id', webhook, '--body', '--json');
    expect(JSON.parse(String(json.body))).toMatchObject({ verification: { status: 'approved' } });
    expect(await auditOf(db, 'webhook_body_shown')).toHaveLength(2);
    expect((await cli('show', '--help')).stdout).toMatch(/--body .*personal data.*audit trail/);
  });

  test('with --body of one whose body is gone, or never was, says so, and nothing is noted', async () => {
    const { db } = story.server;
    const noted = (await auditOf(db, 'webhook_body_shown')).length;
    const gone = await insertInbound(db, story.accountId, { body_sealed: null, outcome: 'stale' });
    const deleted = await cli('show', '--id', gone, '--body');
    expect(deleted).toMatchObject({ code: 1, stderr: '' });
    expect(deleted.stdout).toMatch(/^Webhook [^]*\n\nThe body was deleted: .*WEBHOOK_RETENTION_DAYS/);
    const refused = await cli('show', '--id', await insertRefusal(db, story.accountId), '--body', '--json');
    expect(refused).toMatchObject({ code: 1, json: { outcome: 'refused', body: null } });
    expect(await auditOf(db, 'webhook_body_shown')).toHaveLength(noted);
  });

  test('says when one that waits is looked at again, and lets no address command the terminal', async () => {
    const next_try_at = new Date(Date.now() + 3_600_000);
    const waiting = { handled_at: null, outcome: null, tries: 3, next_try_at, address: 'a\u001b[31mb' };
    const webhook = await insertInbound(story.server.db, story.accountId, waiting);
    const { stdout } = await cli('show', '--id', webhook);
    expect(stdout).toContain(`Outcome    received, tried 3 times, next at ${isoTime(next_try_at)}`);
    expect(stdout).toContain('From       a [31mb');
  });

  test("knows nothing of another tenant's, or of none", async () => {
    const { server } = story;
    const { tenant_id } = await server.integration({ newTenant: true });
    const foreign = await server.provider('veriff', story.veriff.settings, { tenant_id });
    const webhook = await insertInbound(server.db, foreign);
    for (const one of [webhook, NOBODY]) {
      const ran = await cli('show', '--id', one, '--body');
      expect(ran).toMatchObject({ code: 1, stdout: '' });
      expect(ran.stderr).toContain('There is no such webhook; see `countersign webhook list`');
    }
    expect(await cli('show', '--id', '4711')).toMatchObject({ code: 2, stdout: '' });
  });
});
