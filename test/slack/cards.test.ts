import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { ACTIONS, CONTEXT_BLOCK, cardOf, noticeOf, tombstoneOf } from '../../src/slack/cards.ts';
import type { View } from '../../src/slack/cards.ts';
import { TEXTS } from '../../src/slack/texts/index.ts';
import { buttonOf } from '../support/slack-requests.ts';
import { DEVICE, ENDED, LANGUAGES, LINK, NAMES, OPEN, shownIn, textsOf, wordsOf } from './cards-gallery.ts';

const headerOf = ({ blocks }: View) => {
  const [first] = blocks;
  return first?.type === 'header' ? first.text.text : undefined;
};
const inputOf = ({ blocks }: View) => blocks.find((block) => block.type === 'input');

describe('the card while it can be answered', () => {
  const card = cardOf(shownIn('initiated', { challenge: { context: 'Password reset', ticket: 'INC-4711' } }));

  test('does not change when somebody begins, so that nothing being written is lost', () => {
    for (const language of LANGUAGES) {
      const began = shownIn('in-progress', { language, challenge: { device_fingerprint: DEVICE } });
      expect(cardOf(began)).toEqual(cardOf(shownIn('initiated', { language })));
    }
  });

  test('says who asks, why, until when, and the two digits before what others wrote', () => {
    const words = wordsOf(card);
    expect(words).toMatch(/<@U0GRACE> asks for proof[^]*Verification code 47[^]*Password reset[^]*INC-4711/);
    expect(words).toContain('<!date^1772617440^{date_short_pretty} {time}|4 March 2026 at 09:44 UTC>');
  });

  test('has a green button to the link and a red one that asks back; both carry the challenge', () => {
    const value = '01a1f80c-66f3-757c-8473-8105b057d432';
    expect(buttonOf(card, ACTIONS.verify)).toMatchObject({
      ...{ type: 'button', style: 'primary', url: LINK, value, text: { text: 'Verify, it was me' } },
    });
    const report = buttonOf(card, ACTIONS.report);
    const confirm = { style: 'danger', confirm: { text: 'Yes, report it' } };
    const text = { text: "Report incident, wasn't me" };
    expect(report).toMatchObject({ type: 'button', style: 'danger', value, text, confirm });
    expect(report).not.toHaveProperty('url');
  });

  test('takes additional context, which may be left out', () => {
    expect(inputOf(card)).toMatchObject({
      ...{ block_id: CONTEXT_BLOCK, optional: true },
      element: {
        ...{ type: 'plain_text_input', action_id: ACTIONS.context, multiline: true, max_length: 500 },
      },
    });
  });

  test.each([
    ['oidc', /company’s own page/],
    ['saml', /company’s own page/],
    ['veriff', /identity document/],
    ['sandbox', /confirm that it is you/],
    [null, /confirm that it is you/],
  ])('says what comes next with %s, and that nobody asks for a password', (provider, next) => {
    const words = wordsOf(cardOf(shownIn('initiated', { challenge: { provider } })));
    expect(words).toMatch(next);
    expect(words).toContain('Nobody asks for your password in Slack.');
  });

  test('names the app itself as whoever asks, and the system behind it', () => {
    const automatic = { isAutomatic: true, requester: 'U0BOT', challenge: { requester_id: 'ITSM' } };
    const words = wordsOf(cardOf(shownIn('initiated', automatic)));
    expect(words).toContain('An automated check by <@U0BOT> asks');
    expect(words).toMatch(/\*Requester\*\nITSM/);
  });

  test('says whose server it is, once somebody named it, and that a test is one', () => {
    const words = wordsOf(cardOf(shownIn('initiated', { tenant: 'Acme', challenge: { mode: 'test' } })));
    expect(words).toContain('Acme: identity verification');
    expect(words).toContain('Test mode');
    expect(wordsOf(card)).not.toMatch(/: identity verification|Test mode/);
  });
});

describe('the card at the end', () => {
  test.each([
    ['verified', ':white_check_mark: Identity verified', 'Thank you. <@U0GRACE> can see it now.'],
    ['declined', ':x: Identity not verified', 'The verification was declined. <@U0GRACE> can see it now.'],
    ['somebody else', ':x: Identity not verified', 'Somebody signed in with another account'],
    ['canceled', ':no_entry_sign: This request was canceled', '<@U0GRACE> no longer needs it.'],
    ['expired', ':hourglass: This request has expired', 'The time for it is over.'],
    ['reported', ':rotating_light: Incident reported', 'hang up and call your help desk yourself'],
    ['disputed', ':rotating_light: Incident reported', 'The verification no longer counts.'],
  ] as const)('%s: says so', (state, header, words) => {
    const card = cardOf(shownIn(state));
    expect(headerOf(card)).toBe(header);
    expect(wordsOf(card)).toContain(words);
  });

  test('has no link and no form; only what was verified can still be reported', () => {
    for (const state of ENDED) {
      const card = cardOf(shownIn(state));
      expect(JSON.stringify(card)).not.toMatch(/"url"|"input"|token=/);
      expect([state, buttonOf(card, ACTIONS.report) !== undefined]).toEqual([state, state === 'verified']);
    }
  });

  test('asks back what the report of a verified one means', () => {
    expect(JSON.stringify(buttonOf(cardOf(shownIn('verified')), ACTIONS.report))).toContain(
      'The verification will no longer count.',
    );
  });

  test('thanks in the name of whoever asked when that was no person', () => {
    expect(wordsOf(cardOf(shownIn('verified', { isAutomatic: true })))).toContain('Whoever asked can see it');
  });
});

describe('either message, once its challenge was erased', () => {
  test.each(LANGUAGES)('has the title and the time of the end in %s, and nobody in it', (language) => {
    for (const state of ENDED) {
      const shown = shownIn(state, { language, tenant: 'Acme', challenge: { device_fingerprint: DEVICE } });
      for (const role of ['card', 'notice'] as const) {
        const before = role === 'card' ? cardOf(shown) : noticeOf(shown);
        const { challenge, tenant } = shown;
        const erased = tombstoneOf({ challenge, tenant, language }, role);
        expect(headerOf(before)).toContain(headerOf(erased));
        expect(erased.text).toBe(headerOf(erased));
        expect(wordsOf(erased)).toContain('<!date^1772616900^');
        expect(JSON.stringify(erased)).not.toMatch(/<@|U0|"actions"|"input"|Windows/);
      }
    }
  });
});

describe('the notice', () => {
  test.each([
    ['initiated', 'Waiting for an answer', '<@U0ADA> was asked to prove who they are.'],
    ['in-progress', 'The verification has begun', 'nothing is proved yet'],
    ['verified', 'Identity verified', 'Company sign-in (OpenID Connect)'],
    ['declined', 'Identity not verified', 'Do nothing that depends on it'],
    ['somebody else', 'Identity not verified', 'Somebody signed in with another account'],
    ['canceled', 'This request was canceled', 'is not asked any more'],
    ['undeliverable', 'This request could not be delivered', 'Its link does not work any more'],
    ['expired', 'This request has expired', 'did not prove in time who they are'],
    ['expired at the provider', 'This request has expired', 'not finished there'],
    ['reported', 'Incident reported: it was not them', 'tell your security team at once'],
    ['disputed', 'Incident reported: the verification no longer counts', 'Undo what was done'],
  ] as const)('%s: says so, and names the person', (state, title, words) => {
    const notice = noticeOf(shownIn(state));
    expect(headerOf(notice)).toContain(title);
    expect(notice.text).toBe(`${title}: <@U0ADA>`);
    expect(wordsOf(notice)).toContain(words);
    expect(wordsOf(notice)).toContain('01a1f80c-66f3-757c-8473-8105b057d432');
  });

  test('is loud about an incident alone', () => {
    const loud = NAMES.filter((state) => headerOf(noticeOf(shownIn(state)))?.includes(':rotating_light:'));
    expect(loud).toEqual(['reported', 'disputed']);
  });

  test('gives the digits to tell the person as long as they are of use', () => {
    const telling = NAMES.filter((state) => wordsOf(noticeOf(shownIn(state))).includes('code 47'));
    expect(telling).toEqual(OPEN);
  });

  test('says how long a verified result may be relied on; a disputed one may not be', () => {
    expect(wordsOf(noticeOf(shownIn('verified')))).toContain('Rely on it until');
    expect(wordsOf(noticeOf(shownIn('disputed')))).not.toContain('Rely on it until');
  });

  test('quotes what the person added and what they reported, and once what is both', () => {
    const wish = { target_response: 'On my new laptop', incident_comment: 'I never called' };
    const both = wordsOf(noticeOf(shownIn('disputed', { challenge: wish })));
    expect(both).toMatch(/I never called[^]*On my new laptop/);
    const same = { target_response: 'I never\ncalled', incident_comment: 'I never called' };
    const once = textsOf(noticeOf(shownIn('reported', { challenge: same })).blocks);
    expect(once.filter(({ text }) => /I never\scalled/.test(text))).toHaveLength(1);
  });

  test('never links to the person’s page, and has nothing to press', () => {
    for (const state of NAMES)
      expect(JSON.stringify(noticeOf(shownIn(state)))).not.toMatch(/token=|"actions"/);
  });
});

describe('both', () => {
  test('show the device at the end, as far as it told, and nothing of it before or without', () => {
    const lines = 'Browser: Chrome 140.0\nSystem: Windows 11\nTime zone: Europe/Berlin\nLanguage: de-AT\n';
    const device_fingerprint = { ...DEVICE, screen: null };
    for (const show of [cardOf, noticeOf]) {
      for (const state of ENDED)
        expect(wordsOf(show(shownIn(state, { challenge: { device_fingerprint } })))).toContain(lines);
      for (const state of OPEN)
        expect(wordsOf(show(shownIn(state, { challenge: { device_fingerprint } })))).not.toContain('Browser');
      expect(wordsOf(show(shownIn('verified')))).not.toContain('device');
    }
  });

  test('have words for every reason for which a challenge can fail, in both languages', () => {
    const [, described = ''] =
      /FailureReason:\n[^|]*\|\n([^]*?)Null otherwise/.exec(readFileSync('openapi.yaml', 'utf8')) ?? [];
    const reasons = [...described.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);
    expect(reasons.length).toBeGreaterThan(20);
    for (const language of LANGUAGES) {
      const say = (failure_reason: string | null) =>
        wordsOf(noticeOf(shownIn('declined', { language, challenge: { failure_reason } })));
      for (const name of reasons) expect([name, say(name) === say(null)]).toEqual([name, false]);
    }
  });

  test('say everything in German as well', () => {
    for (const state of NAMES)
      for (const show of [cardOf, noticeOf]) {
        const [english, german] = LANGUAGES.map((language) => wordsOf(show(shownIn(state, { language }))));
        const lines = new Set(english?.split('\n').filter((line) => /[a-z]{3} [a-z]/.test(line)));
        expect(german?.split('\n').filter((line) => lines.has(line))).toEqual([]);
      }
  });
});

test('the notice does not blame a person who was never asked, nor praise one who proved nothing', () => {
  for (const language of LANGUAGES) {
    const { expired, unasked, verified } = TEXTS[language].notice.states;
    const late = wordsOf(noticeOf(shownIn('expired', { language })));
    const away = wordsOf(noticeOf(shownIn('expired', { language, wasAsked: false })));
    expect(late).toContain(expired.text('<@U0ADA>'));
    expect(away).toContain(unasked.text('<@U0ADA>'));
    expect(away).not.toContain(expired.text('<@U0ADA>'));
    const played = { language, challenge: { auth_method: 'sandbox' } };
    const approved = wordsOf(noticeOf(shownIn('verified', played)));
    expect(approved).not.toContain(verified.text('<@U0ADA>'));
    expect(approved).toContain(TEXTS[language].notice.played.title);
  }
});
