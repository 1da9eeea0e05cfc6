import { describe, expect, test } from '@jest/globals';
import { page } from '../../src/web/layout.tsx';
import { LANGUAGES, TEXTS } from '../../src/web/texts/index.ts';
import { retryPage } from '../../src/verify/retry-page.tsx';
import { BRAND, NOW, challengeOf, frameIn, pagesIn } from '../web/gallery.ts';

const english = pagesIn(frameIn('en'));
const names = Object.keys(english);
/** Before the end: somebody who did not expect this must find the way out. The sandbox has a form for it. */
const BEFORE_THE_END = names.filter((name) => /^(start|answer|continue|away|retry|waiting)/.test(name));
/** Where the page itself asks whether there is news. */
const WAITING = /<script src="\/assets\/wait\.js\?v=[0-9a-f]{16}" defer data-say="[^"<]+"><\/script>/;
const HOSTILE = '</title><script>alert(1)</script>"\' onload=alert(2) <img src=x onerror=alert(3)>&amp;';

const attributesOf = (html: string, name: string) =>
  [...html.matchAll(new RegExp(` ${name}="([^"]*)"`, 'g'))].map(([, value]) => value ?? '');

describe.each(LANGUAGES)('in %s', (lang) => {
  const pages = pagesIn(frameIn(lang));
  const texts = TEXTS[lang];

  test.each(names)('the page %s says its language, whose it is, what it is and whom to ask', (name) => {
    const html = pages[name] ?? '';
    expect(html).toContain(`<html lang="${lang}">`);
    expect(html).toMatch(/<title>[^<]+ · Example &amp; Sons<\/title>/);
    expect(html.match(/<h1/g)).toHaveLength(1);
    for (const landmark of ['header', 'main', 'footer'])
      expect(html.match(new RegExp(`<${landmark}>`, 'g'))).toHaveLength(1);
    expect(html).toContain('<p class="organization" dir="auto">Example &amp; Sons</p>');
    expect(html).toContain('href="mailto:help@example.com"');
    expect(html).toContain('href="tel:+49301234567"');
    expect(html).toContain('#help-desk');
    expect(html).toContain(`<a href="https://help.example.com/new">${texts.support.portal}</a>`);
  });

  test.each(names)(
    'the page %s has no script or style of its own, and loads nothing from elsewhere',
    (name) => {
      const html = pages[name]?.replace(name === 'waiting' ? WAITING : '', '') ?? '';
      expect(html).not.toMatch(/<script|<style| style=| on\w+=/);
      const loaded = [...attributesOf(html, 'src'), ...html.matchAll(/<link [^>]*href="([^"]*)"/g)].map(
        (one) => (typeof one === 'string' ? one : one[1]),
      );
      expect(loaded).toEqual([
        expect.stringMatching(/^\/assets\/icon\.svg\?v=[0-9a-f]{16}$/),
        expect.stringMatching(/^\/assets\/countersign\.css\?v=[0-9a-f]{16}$/),
      ]);
    },
  );

  test.each(BEFORE_THE_END)('the page %s has a way out for whoever did not expect it', (name) => {
    expect(pages[name]).toMatch(new RegExp(`<a href="[^"]*/report[^"]*">${texts.report.link}</a>`));
  });
});

test('what ended offers the way out only where the caller of the page says so', () => {
  for (const name of ['failed', 'expired', 'canceled', 'reported', 'disputed'])
    expect(english[name]).not.toContain(TEXTS.en.report.link);
  expect(english.verified).toContain(`<a href="/report">${TEXTS.en.report.link}</a>`);
  expect(english.confirmed).toContain(
    `<a href="/report" class="action secondary">${TEXTS.en.report.link}</a>`,
  );
  expect(english['confirmed late']).not.toContain(TEXTS.en.report.link);
});

test('every form that acts is sent by a button with a name and a value', () => {
  const acting = Object.values(english).flatMap(
    (html) => html.match(/<form[^>]*method="post".*?<\/form>/gs) ?? [],
  );
  expect(acting.length).toBeGreaterThan(10);
  for (const form of acting) {
    const buttons = form.match(/<button[^>]*>/g) ?? [];
    expect(buttons.length).toBeGreaterThan(0);
    for (const button of buttons)
      expect(button).toMatch(/ name="go" value="yes"| name="decision" value="(approve|decline|report)"/);
  }
});

test('every field has a label, and a problem is told at the top and at the field', () => {
  for (const html of Object.values(english))
    for (const [, id] of html.matchAll(/<(?:input|textarea) id="(\w+)"/g))
      expect(html).toContain(`<label for="${id}">`);
  const html = english['answer problem'];
  expect(html).toContain(`<h2 id="problem">${TEXTS.en.answer.problem}</h2><p><a href="#response">`);
  expect(html).toMatch(
    /id="response"[^>]*aria-describedby="response-hint response-problem"[^>]*aria-invalid/,
  );
  expect(html).toContain('id="response-problem"');
});

test('the start page says who asks, why, for which ticket, of whom, until when, and the code', () => {
  for (const text of ['Service desk, Ms Turing', 'Password reset.', 'INC-4711', 'ada@example.com'])
    expect(english.start).toContain(text);
  expect(english.start).toContain('>14 minutes left (09:44 UTC)<');
  expect(english.start).toContain('<strong>47</strong>');
  expect(pagesIn(frameIn('de')).start).toContain('>noch 14 Minuten (09:44 UTC)<');
  const tomorrow = { expires_at: new Date(NOW.getTime() + 25 * 3_600_000) };
  expect(pagesIn(frameIn('en'), tomorrow).start).toContain('>25 hours left (5 March 2026 at 10:30 UTC)<');
  expect(english['start again']).toContain(TEXTS.en.start.before);
  expect(english.start).not.toContain(TEXTS.en.start.before);
});

test('the page that waits asks by a script, and has a button for whoever runs none', () => {
  expect(english.waiting).toMatch(WAITING);
  expect(english.waiting).toMatch(
    /<form action="[^"]+\/result"><button type="submit" class="secondary">Check again</,
  );
});

test('the sandbox has one control to report with, and the page that was left alone has a way to stay', () => {
  expect(english.sandbox).not.toContain(TEXTS.en.report.link);
  expect(english.sandbox?.match(/report/gi)).toHaveLength(2);
  expect(english.leaving).toContain(
    'in 20 seconds. <a href="/challenge/01a1f80c-66f3-757c-8473-8105b057d432/result?stay=1">',
  );
});

test('what was reported ends with what to do, and promises nothing that may not have happened', () => {
  for (const name of ['reported', 'disputed'])
    expect(english[name]).toContain(`<p class="note"><strong>${TEXTS.en.result.alarm}</strong></p>`);
  expect(english.verified).not.toContain(TEXTS.en.result.alarm);
  for (const html of Object.values(english)) expect(html).not.toMatch(/has been told|is told|will be told/);
});

test('whoever finds a link confirmed is not thanked, but told what was done as whom', () => {
  const { confirmed } = english;
  expect(confirmed).toContain(
    'On 4 March 2026 at 09:30 UTC somebody confirmed it in another browser, by signing in as ada@example.com.',
  );
  expect(confirmed).not.toMatch(/Thank you|class="good"/);
  const subject = { id: 'ada.l', email: 'ada@private.example', issuer: 'https://idp.example' };
  expect(pagesIn(frameIn('en'), { subject }).confirmed).not.toContain('private.example');
});

test('a sign-in inside another site is offered in a tab of its own only', () => {
  expect(english['start own tab']).not.toContain('<form');
  expect(english['start own tab']).toMatch(
    /<a href="\/challenge\/start\/[^"]+" class="action" target="_blank"/,
  );
  expect(english['start framed']).toContain('<form');
  expect(english['start framed']).toContain('target="_blank"');
});

test('what was wrong with a sign-in is said where there are words for it', () => {
  const view = { frame: frameIn('en'), challenge: challengeOf(), now: NOW };
  const retry = { left: 3, all: 3, label: 'Example Login' };
  const said = (reason: string) => retryPage(view, { ...retry, reason });
  for (const reason of ['stale_authentication', 'idp_unavailable', 'timed_out', 'bad_signature'])
    expect(said(reason)).toContain(`<h1>${TEXTS.en.retry.title}</h1><p>`);
  expect(said('subject_mismatch')).toContain(TEXTS.en.why.mismatch('ada@example.com'));
  // Somebody else took over: nothing was wrong here.
  expect(said('superseded')).toContain(`<h1>${TEXTS.en.retry.notYet}</h1><p role="status">`);
});

test('a caller that did not say who it is, or was erased, is not called by the default name', () => {
  expect(pagesIn(frameIn('de'), { requester_id: 'webhook' }).start).toContain(TEXTS.de.anySystem);
  const asker = { requester_id: 'U0GRACE', slack_instance_id: 'an id' };
  expect(pagesIn(frameIn('en'), { ...asker, requester_email: HOSTILE }).start).toContain(
    '&lt;script>alert(1)&lt;/script>',
  );
  expect(pagesIn(frameIn('en'), asker).start).toContain(TEXTS.en.anySystem);
  const erased = pagesIn(frameIn('en'), { requester_id: 'erased', erased_at: new Date() });
  expect(erased.expired).not.toContain('>erased');
  expect(erased.failed).toContain(TEXTS.en.somebody);
});

describe('whatever somebody calls themselves', () => {
  const brand = { ...BRAND, name: HOSTILE, support: { slack: HOSTILE, email: HOSTILE, phone: HOSTILE } };
  const hostile = {
    ...{ requester_id: HOSTILE, context: HOSTILE, ticket: HOSTILE, target_user_email: HOSTILE },
    verification_code: HOSTILE,
  };

  test.each(names)('on the page %s it stays text', (name) => {
    const html = pagesIn(frameIn('en', brand), hostile)[name] ?? '';
    expect(html.replace(WAITING, '')).not.toMatch(/<script|<img/);
    const tags = html.match(/<[^>]*>/g) ?? [];
    for (const tag of tags) expect(tag.replaceAll(/"[^"]*"/g, '')).not.toMatch(/ on\w+=/);
    expect(html).toContain('&lt;script>alert(1)&lt;/script>');
  });

  test.each(['javascript:alert(1)', 'data:text/html,x', 'vbscript:x', ' javascript:alert(1)', '//x'])(
    'a contact %s leads nowhere',
    (url) => {
      const html = page(frameIn('en', { ...BRAND, support: { url, slack: url } }), 'Title', 'Text');
      expect(attributesOf(html, 'href').filter((href) => !/^\/(assets|challenge)\//.test(href))).toEqual([]);
    },
  );

  test('an e-mail address says nothing but the address', () => {
    const html = page(frameIn('en', { ...BRAND, support: { email: 'a?bcc=b@c.example' } }), 'Title', 'Text');
    expect(html).toContain('href="mailto:a%3Fbcc%3Db@c.example"');
  });
});

test('without contacts people are told to ask their help desk; without a name the page says what it is for', () => {
  const bare = page(frameIn('en', { ...BRAND, name: null, support: {} }), 'Title', 'Text');
  expect(bare).toContain(TEXTS.en.support.none);
  expect(bare).toContain(`<title>Title · ${TEXTS.en.purpose}</title>`);
  const { brand: _brand, ...nobody } = frameIn('de');
  expect(page({ ...nobody, brand: undefined }, 'Title', 'Text')).toContain(TEXTS.de.support.none);
});

test('other languages are one link away, but not after a form was sent', () => {
  const html = page(frameIn('de'), 'Title', 'Text');
  expect(html).toContain(
    '<a href="/challenge/start/1?token=abc&amp;lang=en" lang="en" hreflang="en">English</a>',
  );
  expect(html).toMatch(/<a href="[^"]*lang=de" lang="de" hreflang="de" aria-current="true">Deutsch<\/a>/);
  expect(page({ ...frameIn('de'), here: undefined }, 'Title', 'Text')).not.toContain('hreflang');
});

test('the script is loaded only where there is something to send', () => {
  const html = page({ ...frameIn('en'), device: '/challenge/1/device' }, 'Title', 'Text');
  expect(html).toMatch(
    /<script src="\/assets\/device\.js\?v=[0-9a-f]{16}" defer data-send-to="\/challenge\/1\/device">/,
  );
});

test('a page with everything stays small', () => {
  const context = 'word '.repeat(400).slice(0, 2_000);
  for (const html of Object.values(pagesIn(frameIn('de'), { ...challengeOf(), context })))
    expect(Buffer.byteLength(html)).toBeLessThan(10_000);
});
