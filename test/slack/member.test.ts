import { describe, expect, test } from '@jest/globals';
import { SlackError } from '../../src/slack/error.ts';
import { memberOf } from '../../src/slack/member.ts';

const TEAM = 'T01';
const ADA = { id: 'U01', team_id: TEAM, profile: { email: 'ada@example.com' } };

test('an ordinary member is neither a bot, nor deactivated, nor from elsewhere', () => {
  expect(memberOf(ADA, TEAM)).toEqual({
    ...{ id: 'U01', email: 'ada@example.com', language: 'en' },
    ...{ is_bot: false, deleted: false, is_stranger: false },
  });
});

describe('from elsewhere', () => {
  test.each([
    [{ team_id: 'T02' }, true],
    [{ team_id: TEAM, is_stranger: true }, true],
    [{ team_id: 'T02', enterprise_user: { teams: ['T02', 'T03'] } }, true],
    [{ team_id: 'T02', enterprise_user: { teams: ['T02', TEAM] } }, false],
    [{}, false],
  ])('%j is %p', (facts, is_stranger) => {
    expect(memberOf({ id: 'U01', ...facts }, TEAM).is_stranger).toBe(is_stranger);
  });
});

test('Slackbot is a bot, although Slack does not say so', () => {
  expect(memberOf({ id: 'USLACKBOT', is_bot: false }, TEAM).is_bot).toBe(true);
});

test.each([
  ['de-DE', 'de'],
  ['de-AT', 'de'],
  ['fr-FR', 'en'],
  [undefined, 'en'],
])('who has the locale %p is spoken to in %p', (locale, language) => {
  expect(memberOf({ ...ADA, ...(locale ? { locale } : {}) }, TEAM).language).toBe(language);
});

test.each([{}, { email: '' }])('an address that is not shown (%j) is none', (profile) => {
  expect(memberOf({ ...ADA, profile }, TEAM).email).toBeNull();
});

test.each([undefined, {}, { id: '' }])('%j is nobody', (user) => {
  expect(() => memberOf(user, TEAM)).toThrow(SlackError);
});
