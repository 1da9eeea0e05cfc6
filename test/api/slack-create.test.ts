import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createPerson } from '../support/person.ts';
import { auditOf } from '../support/desk.ts';
import { expectRefusal } from '../support/refusal.ts';
import { countRows } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';
import { connectSlack, startSlack } from '../support/slack.ts';
import type { Slack } from '../support/slack.ts';
import { messagesOf, whoSees } from '../support/slack-story.ts';

let server: TestServer;
let slack: Slack;
let instance: string;
beforeAll(async () => {
  [server, slack] = await Promise.all([startServer(), startSlack()]);
  instance = await connectSlack(server, slack);
});
afterAll(async () => {
  await server.close();
  await slack.close();
});

type Users = Slack['users'] & { bot: string };
type Named = (users: Users) => object;
const people = (): Users => ({ ...slack.users, bot: slack.bot });
const post = (body: object, key = server.apiKey) =>
  server.request
    .post('/api/v1/challenges')
    .set('X-API-Key', key)
    .send({ integration_type: 'slack', ...body });

const ADA = 'ada@example.com';
const GRACE = 'grace@example.com';
const TARGETS: [string, Named][] = [
  ['id', ({ ada }) => ({ target_user_id: ada })],
  ['e-mail address', () => ({ target_user_email: ADA })],
  ['both', ({ ada }) => ({ target_user_id: ada, target_user_email: ADA })],
];
const REQUESTERS: [string, Named, 'grace' | 'bot'][] = [
  ['id', ({ grace }) => ({ slack_user_id: grace }), 'grace'],
  ['e-mail address', () => ({ requester_email: GRACE }), 'grace'],
  ['both', ({ grace }) => ({ slack_user_id: grace, requester_email: GRACE }), 'grace'],
  ['nothing', () => ({}), 'bot'],
  ['the app’s own id', ({ bot }) => ({ slack_user_id: bot }), 'bot'],
];
const COMBINATIONS = REQUESTERS.flatMap(([asks, requester, who]) =>
  TARGETS.map(([asked, target]) => [asks, asked, requester, target, who] as const),
);

describe('a challenge in Slack', () => {
  test.each(COMBINATIONS)(
    'whose requester is named by %s and whose target by %s reaches both',
    async (_, __, requester, target, who) => {
      const users = people();
      const answer = await post({ ...requester(users), ...target(users), context: 'Password reset' });
      expect(answer.status).toBe(201);
      const created = answer.body as Created;
      const { challenge_id } = created;
      expect(answer.headers.location).toBe(`/api/v1/challenges/${challenge_id}`);
      expect(created).toEqual({
        challenge_id,
        verification_url: expect.stringContaining(`/challenge/start/${challenge_id}?token=`),
        status: 'initiated',
        expires_at: expect.any(String),
        verification_code: expect.stringMatching(/^\d\d$/),
        // Whoever polls knows all the same.
        ...(who === 'bot' ? { warnings: [expect.stringContaining('nobody is told how it ends')] } : {}),
      });
      expect(await server.read(challenge_id)).toMatchObject({
        slack_instance_id: instance,
        target_user_id: users.ada,
        target_user_email: ADA,
        requester_id: users[who],
        requester_email: who === 'bot' ? null : GRACE,
        context: 'Password reset',
      });
      const notice = who === 'bot' ? {} : { grace: ['notice'] };
      expect(await whoSees(server, slack, challenge_id)).toEqual({ ada: ['card'], ...notice });
    },
  );

  test('says who asks as the request says, if it does', async () => {
    const created = await server.create({
      ...{ integration_type: 'slack', requester_email: GRACE, requester_id: 'itsm' },
    });
    expect((await server.read(created.challenge_id)).requester_id).toBe('itsm');
    expect(await whoSees(server, slack, created.challenge_id)).toEqual({ ada: ['card'], grace: ['notice'] });
  });

  test('that nobody asked for but the app tells the channel for results, where there is one', async () => {
    const channel = await slack.channel('security');
    const { tenant_id, apiKey } = await server.integration({ newTenant: true });
    await connectSlack(server, slack, { tenant_id, channel });
    const automatic = await server.create({ integration_type: 'slack' }, apiKey);
    expect(await whoSees(server, slack, automatic.challenge_id, channel)).toEqual({
      ...{ ada: ['card'], channel: ['notice'] },
    });
    const asked = await server.create({ integration_type: 'slack', requester_email: GRACE }, apiKey);
    expect(await whoSees(server, slack, asked.challenge_id, channel)).toEqual({
      ...{ ada: ['card'], grace: ['notice'] },
    });
  });

  test('names on its pages whoever asks by what people know them by, never by an id in Slack', async () => {
    for (const [asks, named] of [
      [{ requester_email: GRACE }, GRACE],
      [{}, 'An automated system of your organization'],
      [{ requester_id: 'Service desk' }, 'Service desk'],
    ] as const) {
      const created = await server.create({ integration_type: 'slack', ...asks });
      const person = createPerson(server);
      const { text: start } = await person.open(created).expect(200);
      await person.press(created);
      const { text: waiting } = await person.agent
        .get(`/challenge/${created.challenge_id}/answer`)
        .expect(200);
      for (const page of [start, waiting]) {
        expect(page).toContain(named);
        expect(page).not.toContain(slack.users.grace);
        expect(page).not.toContain(slack.bot);
      }
    }
  });

  test.each(['requester_email', 'slack_user_id', 'slack_instance_id'])(
    'whose %s is a variable that was never set is an error, and the app does not ask instead',
    async (field) => {
      for (const blank of ['', '  '])
        expectRefusal(await post({ target_user_email: ADA, [field]: blank }), 400, {
          ...{ code: 'invalid', field, error: `${field} must not be empty; leave it out instead` },
        });
    },
  );

  test('may be about whoever asks', async () => {
    const created = await server.create({ integration_type: 'slack', requester_email: ADA });
    expect(await whoSees(server, slack, created.challenge_id)).toEqual({ ada: ['card', 'notice'] });
  });

  test('speaks each person’s language, however they were named', async () => {
    slack.describe(slack.users.linus, { locale: 'de-DE' });
    for (const target of [
      { target_user_id: slack.users.linus },
      { target_user_email: 'linus@example.com' },
    ]) {
      const { body } = await post({ ...target, requester_email: GRACE }).expect(201);
      const rows = await messagesOf(server.db, (body as Created).challenge_id);
      expect(rows.map(({ role, language }) => [role, language])).toEqual([
        ['card', 'de'],
        ['notice', 'en'],
      ]);
    }
  });

  test('is about the address that the workspace knows, not the one that was asked by', async () => {
    slack.describe(slack.users.linus, { profile: { email: 'linus@acme.example' } });
    const created = await server.create({
      ...{ integration_type: 'slack', target_user_email: 'linus@example.com' },
    });
    expect((await server.read(created.challenge_id)).target_user_email).toBe('linus@acme.example');
  });

  test('warns where Slack shows no address, by which whoever signs in could be matched', async () => {
    slack.describe(slack.users.linus, { profile: {} });
    const { body } = await post({ target_user_id: slack.users.linus, requester_email: GRACE }).expect(201);
    const { warnings, challenge_id } = body as Created;
    expect(warnings).toEqual([expect.stringContaining('users:read.email')]);
    expect((await server.read(challenge_id)).target_user_email).toBeNull();
  });

  test('mentions nobody but the two, whatever the context says', async () => {
    const context = '<!channel> <!here> <@U0SOMEBODY> <https://evil.example|click> *x*';
    const created = await server.create({ integration_type: 'slack', requester_email: GRACE, context });
    await whoSees(server, slack, created.challenge_id);
    const card = await slack.waitFor('ada', (words) => words.includes('evil.example'), 'the card');
    expect(card.text).not.toMatch(/evil|!channel|SOMEBODY/);
    const marked = JSON.stringify(card.blocks, (_, value: unknown) =>
      (value as { type?: string } | null)?.type === 'plain_text' ? null : value,
    );
    expect(marked).not.toMatch(/evil|!channel|!here|SOMEBODY/);
  });

  test('does not keep the link readable, and it is the one that was answered', async () => {
    const { challenge_id, verification_url } = await server.create({ integration_type: 'slack' });
    const [card] = await messagesOf(server.db, challenge_id);
    const { event_id = '', link_sealed } = card ?? {};
    expect(link_sealed).not.toContain('token=');
    expect(server.sealer.unseal(link_sealed ?? '', `slack_messages:${event_id}`)).toBe(verification_url);
  });
});

test('what is for Slack alone is ignored without it, and that is said', async () => {
  const { grace } = slack.users;
  const fields = { slack_instance_id: instance, slack_user_id: grace, requester_email: GRACE };
  const created = await server.create(fields);
  expect(created.warnings).toEqual(
    Object.keys(fields).map((name) => `${name} was ignored; it is for integration_type "slack"`),
  );
  expect((await server.read(created.challenge_id)).slack_instance_id).toBeNull();
  expect(await messagesOf(server.db, created.challenge_id)).toEqual([]);
});

describe('a person who is not there', () => {
  const ID_FIELDS = ['target_user_id', 'slack_user_id'] as const;
  const FIELDS = [...ID_FIELDS, 'target_user_email', 'requester_email'] as const;
  const IN = 'in the Slack workspace "Acme"';
  /** Somebody else where the request is about the requester. */
  const rest = (field: string) => (field.startsWith('target') ? {} : { target_user_email: ADA });
  const valueOf = (field: string) => (field.endsWith('email') ? 'gone@example.com' : slack.users.gone);

  /** Expects a 400 that names the field, and that nothing is stored. */
  async function refused(body: object, field: string, error?: string) {
    const before = await countRows(server.db, 'events');
    expectRefusal(await post(body), 400, { code: 'invalid', field, ...(error ? { error } : {}) });
    expect(await countRows(server.db, 'events')).toBe(before);
  }

  test.each(FIELDS)('is an error that names %s, and nobody else is taken instead', async (field) => {
    const value = field.endsWith('email') ? 'nobody@example.com' : 'U0NOBODY';
    await refused({ ...rest(field), [field]: value }, field, `${field} is nobody ${IN}`);
  });

  test.each([
    ['a deactivated account', { deleted: true }],
    ['a bot', { is_bot: true }],
    ['a guest from another company', { is_stranger: true }],
    ['a guest from another company', { team_id: 'T0OTHER' }],
  ])('or is %s (%j) is an error that says so', async (what, facts) => {
    slack.describe(slack.users.gone, facts);
    for (const field of FIELDS) {
      const error = `${field} is ${what} ${IN}${what === 'a bot' ? ', and no person' : ''}`;
      await refused({ ...rest(field), [field]: valueOf(field) }, field, error);
    }
    slack.describe(slack.users.gone, {});
  });

  test('is no error of somebody who belongs to the same company in another workspace of it', async () => {
    const here = { team_id: 'T0HOME', enterprise_user: { teams: ['T0HOME', 'T000000001'] } };
    slack.describe(slack.users.gone, here);
    expect((await post({ target_user_id: slack.users.gone })).status).toBe(201);
    slack.describe(slack.users.gone, {});
  });

  test('who are two people is an error', async () => {
    const { ada, grace } = people();
    await refused({ target_user_id: grace, target_user_email: ADA }, 'target_user_email');
    await refused(
      { target_user_email: ADA, slack_user_id: ada, requester_email: GRACE },
      'requester_email',
      'slack_user_id and requester_email are two different people in this workspace',
    );
  });

  test('who is the app itself is an error, but as the requester', async () => {
    await refused({ target_user_id: slack.bot }, 'target_user_id');
    const both = { slack_user_id: slack.bot, requester_email: GRACE };
    await refused({ target_user_email: ADA, ...both }, 'slack_user_id');
  });

  test('of several, the requester is named first', async () => {
    const nobody = { target_user_email: 'nobody@example.com', requester_email: 'no@example.com' };
    await refused(nobody, 'requester_email');
  });

  test('leaves a trace of who tried, and by which field, and none of whom', async () => {
    const trail = () => auditOf(server.db, 'slack_lookup_refused');
    const before = (await trail()).length;
    await refused({ target_user_email: 'nobody@example.com' }, 'target_user_email');
    await refused(
      { slack_user_id: slack.users.linus, requester_email: GRACE, target_user_email: ADA },
      'requester_email',
    );
    // Not asked of Slack, so nobody learned anything.
    await refused({ target_user_id: 'ada' }, 'target_user_id');
    const entries = (await trail()).slice(0, -before || undefined);
    const actor = `api_key:${server.apiKey.slice(0, 12)}`;
    const entryOf = (field: string) =>
      expect.objectContaining({ actor, challenge_id: null, detail: { field, instance } }) as unknown;
    expect(entries).toEqual([entryOf('requester_email'), entryOf('target_user_email')]);
  });

  test('who is not named is an error', async () => {
    const error = 'target_user_id or target_user_email is required';
    await refused({ requester_email: GRACE }, 'target_user_id', error);
  });

  test.each(['ada', 'u0123', 'C0123', '<@U0123>', 'U01 23', 'U', `U${'1'.repeat(31)}`, '@ada', 7, ['U1']])(
    'by %j, which is no id of Slack, is an error before Slack is asked',
    async (id) => {
      const before = slack.calls.length;
      for (const field of ID_FIELDS) await refused({ ...rest(field), [field]: id }, field);
      expect(slack.calls).toHaveLength(before);
    },
  );

  test.each(['grace', '@', 'a b@example.com', 'x@y\nz', 7])(
    'by %j, which is no address, is an error before Slack is asked',
    async (email) => {
      const before = slack.calls.length;
      await refused({ target_user_email: ADA, requester_email: email }, 'requester_email');
      expect(slack.calls).toHaveLength(before);
    },
  );
});
