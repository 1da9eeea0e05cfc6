import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { listTrail } from '../../src/challenges/trail-store.ts';
import { createVisitor } from '../support/oidc-visitor.ts';
import { comeBack, refusalsOf, sendAgain, sendOff, startOidcStory } from '../support/oidc-story.ts';
import { connectSlack, startSlack } from '../support/slack.ts';
import type { Slack } from '../support/slack.ts';
import { buttonOf } from '../support/slack-requests.ts';

const ADA = 'ada@example.com';

let story: Awaited<ReturnType<typeof startOidcStory>>;
let slack: Slack;
beforeAll(async () => {
  [story, slack] = await Promise.all([startOidcStory(), startSlack()]);
  await connectSlack(story.server, slack);
});
afterAll(async () => {
  await story.close();
  await slack.close();
});

const signIn = (url: string, login: string) => createVisitor().signIn(url, login);

test('who is asked in Slack signs in by the link in their card, and whoever asked reads there that it was them', async () => {
  const { server } = story;
  const asked = await story.create({
    ...{ target_user_email: undefined, integration_type: 'slack', target_user_id: slack.users.ada },
    requester_email: 'grace@example.com',
  });
  const card = await slack.waitFor('ada', (_, seen) => buttonOf(seen, 'verify') !== undefined, 'the card');
  const notice = await slack.waitFor('grace', () => true, 'the notice');
  const { url: verification_url = '' } = buttonOf(card, 'verify') ?? {};
  expect(verification_url).toBe(asked.verification_url);

  // Somebody else's account is no proof, although the link was pressed in Slack.
  const { created, person, url } = await sendOff(server, { ...asked, verification_url });
  expect(new URL(url).searchParams.get('login_hint')).toBe(ADA);
  await comeBack(person, await signIn(url, 'eve@example.com'));
  expect(await server.read(created.challenge_id)).toMatchObject({ status: 'in-progress' });
  expect(await refusalsOf(server, created)).toEqual(['subject_mismatch']);

  await comeBack(person, await signIn(await sendAgain(person, created), ADA));
  expect(await server.read(created.challenge_id)).toMatchObject({
    ...{ status: 'verified', subject_match: 'email', target_user_id: slack.users.ada },
    target_user_email: ADA,
  });
  const isEnd = (words: string) => words.includes('Identity verified');
  await slack.waitFor('grace', (words, { ts }) => ts === notice.ts && isEnd(words), 'the notice of the end');
  const ended = await slack.waitFor('ada', (words, { ts }) => ts === card.ts && isEnd(words), 'the end');
  expect(buttonOf(ended, 'verify')).toBeUndefined();
  expect(JSON.stringify(await slack.seenBy('ada'))).not.toContain('token=');
  const [ada, grace] = await Promise.all([slack.seenBy('ada'), slack.seenBy('grace')]);
  expect([ada.length, grace.length]).toEqual([1, 1]);
  const trail = await listTrail(server.db, created.challenge_id);
  const posted = trail.map(({ action }) => action).filter((action) => action.startsWith('slack_'));
  expect(posted.sort()).toEqual(['slack_card_posted', 'slack_notice_posted']);
});
