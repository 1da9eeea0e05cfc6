import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createOutbound } from '../../src/kernel/outbound.ts';
import { createClient } from '../../src/slack/client.ts';
import { startSink } from '../support/sink.ts';

const REACH = { http: true, loopback: true };
const VIEW = { text: 'Is this you?', blocks: [] };
const outbound = createOutbound({ allowedCidrs: [], userAgent: 'test' });

/** Stands where Slack should, and answers what the test says. */
let slack: Awaited<ReturnType<typeof startSink>>;
let origin: string;
beforeAll(async () => {
  slack = await startSink();
  origin = new URL(slack.url).origin;
});
beforeEach(() => {
  slack.received.length = 0;
  slack.answerWith((response) => response.end('{"ok":true}'));
});
afterAll(async () => {
  await slack.close();
  await outbound.close();
});

const clientAt = (api_url = origin) =>
  createClient({ api_url, bot_token: 'xoxb-1' }, { outbound, reach: REACH });
const says = (body: object, headers = {}) =>
  slack.answerWith((response) => response.writeHead(200, headers).end(JSON.stringify({ ok: true, ...body })));
/** What was sent, field by field. */
const fields = () => Object.fromEntries(new URLSearchParams(slack.received[0]?.body.toString()));

describe('a message', () => {
  const PLAIN = { parse: 'none', link_names: 'false' };

  test('is posted so that Slack makes nothing of what only looks like a link, a name or a channel', async () => {
    says({ channel: 'D01', ts: '1.2' });
    expect(await clientAt().post('U01', VIEW, 'an-id')).toEqual({ channel_id: 'D01', ts: '1.2' });
    expect(fields()).toEqual({
      ...{ channel: 'U01', text: 'Is this you?', blocks: '[]', ...PLAIN },
      ...{ unfurl_links: 'false', unfurl_media: 'false' },
      metadata: '{"event_type":"countersign_message","event_payload":{"id":"an-id"}}',
    });
  });

  test('is rewritten and told in the same way', async () => {
    expect(await clientAt().update({ channel_id: 'D01', ts: '1.2' }, VIEW)).toBe(true);
    expect(fields()).toMatchObject(PLAIN);
    slack.received.length = 0;
    await clientAt().tell('U01', '<!channel>');
    expect(fields()).toMatchObject({ ...PLAIN, unfurl_links: 'false' });
  });

  test('of which Slack does not say where it stands may stand there', async () => {
    await expect(clientAt().post('U01', VIEW, 'an-id')).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test.each(['message_not_found', 'channel_not_found'])('is gone when Slack says %s', async (error) => {
    says({ ok: false, error });
    expect(await clientAt().update({ channel_id: 'D01', ts: '1.2' }, VIEW)).toBe(false);
  });
});

describe('whose token it is', () => {
  const WHO = { team: 'Acme', team_id: 'T01', user_id: 'U01' };

  test('is a bot’s with its scopes, or a person’s', async () => {
    says({ ...WHO, bot_id: 'B01' }, { 'x-oauth-scopes': 'chat:write,commands' });
    expect(await clientAt().identity()).toEqual({
      ...{ team_id: 'T01', team_name: 'Acme', user_id: 'U01', is_bot: true },
      scopes: ['chat:write', 'commands'],
    });
    says(WHO);
    expect(await clientAt().identity()).toMatchObject({ is_bot: false, scopes: null });
  });

  test.each([{}, { ...WHO, user_id: '' }, { ...WHO, team_id: null }])('is unknown from %j', async (said) => {
    says(said);
    await expect(clientAt().identity()).rejects.toMatchObject({ code: 'bad_answer' });
  });
});

describe('an answer to a command', () => {
  const respond = (url = `${origin}/response/1`, api = origin) => clientAt(api).respond(url, '*no*');

  test('is for one person, stands beside the card, and tells no token', async () => {
    expect(await respond()).toBe(true);
    const [{ json, headers } = { json: {}, headers: {} }] = slack.received;
    expect(json).toEqual({ response_type: 'ephemeral', replace_original: false, text: '*no*' });
    expect(headers.authorization).toBeUndefined();
  });

  test.each([404, 410, 302])('that is answered %i is not taken any more', async (status) => {
    slack.answerWith((response) => response.writeHead(status, { location: `${origin}/elsewhere` }).end());
    expect(await respond()).toBe(false);
    expect(slack.received).toHaveLength(1);
  });

  test.each([
    [429, 'limited'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('that is answered %i is not given: %s', async (status, kind) => {
    slack.answerWith((response) => response.writeHead(status).end());
    await expect(respond()).rejects.toMatchObject({ kind });
  });

  test('that may have been given is not given once more', async () => {
    expect(await respond()).toBe(true);
    slack.received.length = 0;
    // The connection is then free for the next.
    await setImmediate();
    slack.answerWith((response) => response.destroy());
    await expect(respond()).rejects.toMatchObject({ kind: 'unavailable', code: 'reset' });
    expect(slack.received).toHaveLength(1);
  });

  test.each([
    ['https://slack.com', 'https://evil.example/commands/1'],
    ['https://slack.com', 'https://hooks.slack.com.evil.example/commands/1'],
    ['https://slack.com', 'https://hooks-slack.com/commands/1'],
    ['https://slack.com', 'https://evil.slack.com/commands/1'],
    ['https://slack.com', 'https://hooks.slack.com@evil.example/'],
    ['https://slack.com', 'http://hooks.slack.com/commands/1'],
    ['https://slack.com', 'https://hooks.slack.com:8443/commands/1'],
    ['https://slack.com:8443', 'https://hooks.slack.com/commands/1'],
    ['https://slack.com', 'nonsense'],
    ['https://slack.com', ''],
    ['https://slack.com', 'file:///etc/passwd'],
  ])('of %s does not go to %s', async (api, url) => {
    await expect(respond(url, api)).rejects.toMatchObject({ kind: 'refused', code: 'foreign_response_url' });
  });

  test('goes to the host that Slack gives for it', async () => {
    const api = origin.replace('127.0.0.1', 'localhost');
    const url = `${api.replace('localhost', 'hooks.localhost')}/commands/1`;
    // Wherever that leads: it is the way out that says no, if any.
    const outcome = await respond(url, api).catch((error: { code: string }) => error.code);
    expect(outcome).not.toBe('foreign_response_url');
  });
});
