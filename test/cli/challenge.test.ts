import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Updateable } from 'kysely';
import type { Challenges } from '../../src/generated/database.ts';
import { decisionBody } from '../../src/simulators/veriff-bodies.ts';
import type { VeriffSession } from '../../src/simulators/veriff-bodies.ts';
import { saveTenantMode } from '../../src/tenants/modes-store.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import { runCli } from '../support/cli.ts';
import { NOBODY } from '../support/desk.ts';
import { createPerson } from '../support/person.ts';
import type { Created } from '../support/server.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';

const UUID = '[0-9a-f-]{36}';
const TIME = '20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ';

let story: VeriffStory;
let id: string;
let sessions: string[];
/** Two runs: one told of with a step and declined, one approved; then a word that comes too late, and one of another challenge. */
beforeAll(async () => {
  story = await startVeriffStory();
  const { veriff, server } = story;
  const tenant = await findFirstTenant(server.db);
  await saveTenantMode(server.db, tenant?.id ?? '', 'test', { provider_attempts: 2 });
  const begun = await story.begin({ context: 'Ticket 4711', requester_id: 'desk-7' });
  id = begun.id;
  await veriff.tell(begun.session, 'started');
  await veriff.send(screeningOf(begun.session));
  await veriff.decide(begun.session, 'declined', {
    reasonCode: 102,
    decisionTime: '2026-01-15T10:05:00.123Z',
  });
  await story.outcomes(begun.session);
  await begun.person.start(begun.created).expect(303);
  const second = await veriff.sessionOf(id);
  await veriff.send(decisionBody(second, 'approved', { vendorData: NOBODY }));
  await veriff.decide(second, 'approved');
  await story.reaches(id, 'verified');
  await veriff.decide(second, 'declined', { decisionTime: '2099-01-01T00:00:00.000Z' });
  await story.outcomes(second);
  sessions = [begun.session.id, second.id];
}, 60_000);
afterAll(() => story.close());

/** A finding beside the decision, as Veriff sends it. */
function screeningOf({ id: sessionId, attemptId, vendorData }: VeriffSession) {
  return {
    ...{ checkType: 'initial_result', attemptId, sessionId, vendorData, endUserId: null },
    ...{ matchStatus: 'possible_match', totalHits: 1, createdAt: '2026-09-01T08:00:00.000Z', hits: [] },
  };
}

/** What no request could make of it. */
const change = ({ challenge_id }: Created, fields: Updateable<Challenges>) =>
  story.server.db.updateTable('challenges').set(fields).where('id', '=', challenge_id).execute();
const show = (...args: string[]) => runCli(['challenge', 'show', ...args], story.server.settings);

/** The lines below a heading of the text. */
const section = (text: string, title: string) =>
  new RegExp(`^${title}.*\n((?:  .*\n)+)`, 'm').exec(text)?.[1]?.trimEnd().split('\n') ?? [];
const matching = (line: string) => expect.stringMatching(`^  ${line}$`) as unknown;

test('tells how it stands, of each run, each finding and step, and all of the trail, oldest first', async () => {
  const { code, stdout, stderr } = await show('--id', id);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [head = ''] = stdout.split('\n\n');
  expect(head.split('\n').map((line) => line.split(/ {2,}/)[0]?.split(' ')[0])).toEqual([
    ...['Challenge', 'Status', 'Target', 'Requester', 'Integration', 'Context', 'Code', 'Provider'],
    ...['Proved', 'Device', 'Made', 'Started', 'Deadline', 'Ended', 'Valid'],
  ]);
  expect(head).toContain(`Challenge    ${id} (test mode)\nStatus       verified\n`);
  expect(head).toContain('Target       ada@example.com\nRequester    desk-7\n');
  expect(head).toContain('Context      Ticket 4711\nCode         ');
  expect(head).toContain('Provider     veriff, newest word: approved\nProved by    veriff\nDevice       ');
  expect(stdout).toContain('\nRuns (at most 2)\n');
  expect(section(stdout, 'Runs')).toEqual([
    matching(`1  veriff  ended  began ${TIME}  declined at 2026-01-15T10:05:00Z  session ${sessions[0]}`),
    matching(`2  veriff  ended  began ${TIME}  approved at ${TIME}  session ${sessions[1]}`),
  ]);
  expect(section(stdout, 'Findings')).toEqual([
    matching('2026-09-01T08:00:00.000Z  watchlist_screening  check_type: initial_result, total_hits: 1, .*'),
  ]);
  expect(section(stdout, 'Progress')).toEqual([matching('20\\S+Z  event  started')]);
  const late = 'report: declined, status: verified, decided_at: 2099-01-01T00:00:00Z, reason_code: 102';
  expect(section(stdout, 'Audit trail')).toEqual([
    matching(`${TIME}  api_key:\\S+ +created`),
    matching(`${TIME}  target +in-progress +ip: 127.0.0.1, browser: ${UUID}`),
    matching(`${TIME}  provider:veriff +attempt_ended +report: declined, .*reason_code: 102`),
    matching(`${TIME}  target +in-progress +ip: 127.0.0.1, browser: ${UUID}`),
    matching(`${TIME}  provider:veriff +report_for_other_challenge +report: approved, .*`),
    matching(`${TIME}  provider:veriff +verified +report: approved`),
    matching(`${TIME}  provider:veriff +report_after_end +${late}`),
  ]);
  expect(stdout).toContain(`countersign webhook list --challenge ${id}\n`);
  expect(stdout).toContain(`countersign delivery list --challenge ${id}\n`);
});

test('with --json says what a read says, and the runs and the trail with it', async () => {
  const { json } = await show('--id', id, '--json');
  const { runs, sign_ins, audit_trail, provider_attempts, integration_id, started_at, ...read } = json;
  expect(read).toEqual(await story.server.read(id));
  expect(sign_ins).toEqual([]);
  expect({ provider_attempts, integration_id, started_at }).toEqual({
    ...{ provider_attempts: 2, integration_id: expect.stringMatching(UUID) },
    started_at: expect.stringMatching(TIME),
  });
  const run = { provider: 'veriff', account_id: story.accountId, state: 'ended', next_check_at: null };
  expect(runs).toMatchObject([
    { ...run, number: 1, session_id: sessions[0], word: 'declined', decided_at: '2026-01-15T10:05:00Z' },
    { ...run, number: 2, session_id: sessions[1], word: 'approved' },
  ]);
  const trail = audit_trail as { action: string; detail: unknown }[];
  expect(trail.map(({ action }) => action)).toEqual([
    ...['created', 'in-progress', 'attempt_ended', 'in-progress', 'report_for_other_challenge'],
    ...['verified', 'report_after_end'],
  ]);
  expect(trail.at(-1)).toEqual({
    at: expect.stringMatching(TIME),
    actor: 'provider:veriff',
    action: 'report_after_end',
    detail: {
      ...{ report: 'declined', reason_code: '102', status: 'verified' },
      decided_at: '2099-01-01T00:00:00Z',
    },
  });
  expect(JSON.stringify(json)).not.toMatch(/sealed|token|stationapi/);
});

test('says of an open run when it is asked about, and of a challenge without one that nobody was sent', async () => {
  const open = await story.begin();
  expect(section((await show('--id', open.id)).stdout, 'Runs')).toEqual([
    matching(`1  veriff  open  began ${TIME}  no word yet  session ${UUID}  is asked about at ${TIME}`),
  ]);
  const live = await story.server.create({ target_user_id: 'u-1', provider: 'sandbox' });
  await change(live, { mode: 'live', provider: null });
  const { stdout, stderr } = await show('--id', live.challenge_id);
  expect(stderr).toBe('');
  expect(stdout).toContain(`Challenge    ${live.challenge_id} (live mode)\nStatus       initiated\n`);
  expect(stdout).toContain('Target       ada@example.com, u-1\n');
  expect(stdout).toContain('Provider     none\n');
  expect(section(stdout, 'Runs')).toEqual(['  None: the person has not been sent to a provider.']);
  expect(section(stdout, 'Audit trail')).toEqual([matching(`${TIME}  api_key:\\S+  created`)]);
  expect(stdout).not.toMatch(/Findings|Progress/);
});

test('reads as expired past its deadline, and lets nothing that was entered command the terminal', async () => {
  const created = await story.server.create();
  const times = { expires_at: new Date(Date.now() - 1_000), created_at: new Date(Date.now() - 2_000) };
  await change(created, { ...times, context: 'a\u001b[31mb\nStatus       verified' });
  const { stdout } = await show('--id', created.challenge_id);
  expect(stdout).toContain('\nStatus       expired\n');
  expect(stdout).toContain('\nContext      a [31mb Status       verified\n');
});

test('tells the device, and says in the line of the status that the person disputes it, and in which browser', async () => {
  const created = await story.server.create({ provider: 'sandbox' });
  const person = createPerson(story.server);
  await person.start(created).expect(303);
  await person.decide(created, 'approve').expect(303);
  const before = (await show('--id', created.challenge_id)).stdout;
  expect(before).toContain('\nStatus       verified\n');
  expect(before).toContain('\nProvider     sandbox\nProved by    sandbox\n');
  expect(before).toMatch(/^Device       collected: .*1920x1080, Europe\/Berlin, 127\.0\.0\.1, en-GB$/m);
  // Whoever decides in the sandbox is sent to no provider.
  expect(before).not.toMatch(/^Runs/m);
  await person.report(created, 'Not me').expect(303);
  const { stdout } = await show('--id', created.challenge_id);
  expect(stdout).toMatch(new RegExp(`^Status       verified, DISPUTED at ${TIME}$`, 'm'));
  const [started, , disputed] = section(stdout, 'Audit trail').slice(1);
  const browser = new RegExp(`browser: ${UUID}`).exec(started ?? '')?.[0];
  expect(disputed).toEqual(matching(`${TIME}  target +disputed +ip: 127.0.0.1, ${browser}`));
});

test('says of an untold device how it stands, and looks for no run where somebody signs in', async () => {
  const created = await story.server.create({ provider: 'sandbox' });
  await change(created, { provider: 'oidc' });
  const { stdout } = await show('--id', created.challenge_id);
  expect(stdout).toContain('\nDevice       pending\n');
  expect(stdout).not.toMatch(/^Runs/m);
});

test('of an erased one shows the trail that is left, and nobody', async () => {
  await runCli(['erase', '--challenge', id, '--yes'], story.server.settings);
  const { stdout } = await show('--id', id);
  expect(stdout).toContain('\nTarget       erased\n');
  expect(stdout).toMatch(new RegExp(`\nErased       ${TIME}\n`));
  expect(stdout).not.toMatch(/ada@example|127\.0\.0\.1|Findings|Progress/);
  expect(section(stdout, 'Audit trail').at(-1)).toMatch(/ erased$/);
});

test("knows nothing of another tenant's, or of none", async () => {
  const { apiKey } = await story.server.integration({ newTenant: true });
  const foreign = await story.server.create({}, apiKey);
  for (const one of [foreign.challenge_id, NOBODY]) {
    const ran = await show('--id', one);
    expect(ran).toMatchObject({ code: 1, stdout: '' });
    expect(ran.stderr).toContain(`There is no challenge ${one}, in test mode or in live mode`);
  }
  expect(await show('--id', '4711')).toMatchObject({ code: 2, stdout: '' });
  expect((await show()).stderr).toContain('--id missing');
});
