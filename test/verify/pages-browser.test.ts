import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { findBrand, saveBrand } from '../../src/tenants/brand-store.ts';
import type { Brand } from '../../src/tenants/brand-store.ts';
import { insertTenant } from '../../src/tenants/store.ts';
import type { Language } from '../../src/web/texts/index.ts';
import { openBrowser, picture } from '../support/browser.ts';
import { createDatabase } from '../support/database.ts';
import { BRAND, frameIn, pagesIn, startGallery } from '../web/gallery.ts';
import { noisePng } from '../web/picture-file.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** All stops look the same but for their words. */
const KINDS = Object.keys(pagesIn(frameIn('en'))).filter(
  (name) => !name.startsWith('stop ') || name === 'stop not_framable',
);
const LONG_WORD = 'Donaudampfschifffahrtsgesellschaftskapitänsmütze'.repeat(5);
const HOSTILE =
  '</title><script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'">';
/** What callers may write: long, from right to left, without a blank, hostile. */
const WISHES = {
  long: { context: 'All the words that somebody may need. '.repeat(53).slice(0, 2_000) },
  'long words': {
    context: LONG_WORD,
    requester_id: LONG_WORD,
    ticket: LONG_WORD.slice(0, 100),
    target_user_email: LONG_WORD,
  },
  arabic: { context: 'طلبتَ إعادة تعيين كلمة المرور (INC-4711) الساعة 10:32.', requester_id: 'مكتب المساعدة' },
  hostile: { context: HOSTILE, requester_id: HOSTILE, ticket: HOSTILE, target_user_email: HOSTILE },
} as const;

let database: Awaited<ReturnType<typeof createDatabase>>;
let gallery: Awaited<ReturnType<typeof startGallery>>;
let browser: Awaited<ReturnType<typeof openBrowser>>;
let brand: Brand;
beforeAll(async () => {
  database = await createDatabase();
  const id = await insertTenant(database.db, BRAND.name ?? '');
  const logo = { bytes: noisePng(160, 30), type: 'image/png' } as const;
  await saveBrand(database.db, id, { support: BRAND.support, logo });
  brand = await findBrand(database.db, id);
  gallery = await startGallery(database.db);
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  await gallery.close();
  await database.close();
});

const shown = (lang: Language, kind: string, wish = {}) =>
  gallery.show(kind, pagesIn(frameIn(lang, brand), wish)[kind] ?? '');
const overflow = (page: Page) =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');

describe.each([
  { name: 'phone-light', lang: 'en', viewport: { width: 360, height: 740 }, colorScheme: 'light' },
  { name: 'desktop-dark', lang: 'de', viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
] as const)('on $name', ({ name, lang, ...device }) => {
  let opened: Awaited<ReturnType<typeof browser.newPage>>;
  beforeAll(async () => {
    opened = await browser.newPage(device);
  });

  test.each(KINDS)('the page %s can be used by everybody', async (kind) => {
    const { page, complaints, hosts } = opened;
    await page.goto(shown(lang, kind));
    await picture(page, `page-${name}-${kind.replaceAll(' ', '-')}`);
    // Through the debugger, because the page itself would refuse it.
    await page.evaluate(AXE);
    expect(await page.evaluate(FIND_VIOLATIONS)).toEqual([]);
    expect(await page.evaluate(FIND_SMALL_TARGETS)).toEqual([]);
    expect(await overflow(page)).toBe(0);
    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([new URL(gallery.origin).host]);
  });
});

test.each(['en', 'de'] as const)(
  'a phone shows the button and the way out without scrolling, in %s',
  async (lang) => {
    const { page } = await browser.newPage({ viewport: { width: 360, height: 740 } });
    await page.goto(shown(lang, 'start', { context: 'Password reset', mode: 'live' }));
    const bottomOf = (selector: string) =>
      page.evaluate<number>(`document.querySelector('${selector}').getBoundingClientRect().bottom`);
    expect(await bottomOf('main form button')).toBeLessThan(680);
    expect(await bottomOf('main .out a')).toBeLessThan(740);
    expect(await bottomOf('main .out a')).toBeLessThan(await bottomOf('main > .quiet'));
    // What is short stands beside its name.
    expect(await page.evaluate(HEIGHTS_OF_FACTS)).toEqual([1, 1, 1, expect.any(Number)]);
    await page.goto(shown(lang, 'reported'));
    expect(await bottomOf('footer a[href^="tel:"]')).toBeLessThan(740);
    const tops = await page.evaluate<number[]>(TOPS_OF_CONTACTS);
    expect(new Set(tops).size).toBe(4);
  },
);

test('in the dark a picture has no more of the white paper than it covers, and is not bent', async () => {
  const id = await insertTenant(database.db, 'Square');
  await saveBrand(database.db, id, { logo: { bytes: noisePng(64, 64), type: 'image/png' } });
  const square = await findBrand(database.db, id);
  const { page } = await browser.newPage({ viewport: { width: 360, height: 740 }, colorScheme: 'dark' });
  for (const [shape, one, ratio] of [
    ['wide', brand, 160 / 30],
    ['square', square, 1],
  ] as const) {
    const html = pagesIn(frameIn('de', one)).start ?? '';
    await page.goto(gallery.show(shape, html), { waitUntil: 'networkidle' });
    await picture(page, `page-logo-${shape}`);
    // Without its rim.
    const { width, height } = await page.evaluate<{ width: number; height: number }>(SIZE_OF_LOGO);
    expect((width - 6) / (height - 6)).toBeCloseTo(ratio, 1);
  }
});

test('a desktop shows the reference in one line', async () => {
  const { page } = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(shown('en', 'verified'));
  expect(await page.evaluate('document.querySelector("dd code").getClientRects().length')).toBe(1);
});

describe('whatever callers write', () => {
  test.each(Object.entries(WISHES))(
    'the pages fit a window of 320 points with text that is %s',
    async (name, wish) => {
      const { page, complaints } = await browser.newPage({ viewport: { width: 320, height: 640 } });
      for (const kind of ['start', 'sandbox', 'retry', 'verified']) {
        await page.goto(shown('de', kind, wish));
        expect([kind, await overflow(page)]).toEqual([kind, 0]);
        expect(await page.title()).toContain(BRAND.name);
        if (kind === 'start') await picture(page, `page-320-${name.replaceAll(' ', '-')}`);
      }
      expect(complaints).toEqual([]);
    },
  );

  test('text from right to left is written from right to left, in its place alone', async () => {
    const { page } = await browser.newPage({});
    await page.goto(shown('en', 'start', WISHES.arabic));
    const direction = (selector: string) =>
      page.evaluate<string>(`getComputedStyle(document.querySelector('${selector}')).direction`);
    expect(await direction('dl > div:nth-child(1) > dd')).toBe('rtl');
    expect(await direction('dl > div:nth-child(4) > dd')).toBe('ltr');
    expect(await direction('main')).toBe('ltr');
  });
});

test('nothing moves while a page arrives, and nothing ever does by itself', async () => {
  const { page } = await browser.newPage({ viewport: { width: 360, height: 740 } });
  await page.goto(shown('en', 'start'), { waitUntil: 'networkidle' });
  expect(await page.evaluate(`document.querySelector('.logo > img').naturalWidth`)).toBe(160);
  expect(await page.evaluate(SUM_OF_SHIFTS)).toBe(0);
  expect(await page.evaluate('document.getAnimations().length')).toBe(0);
});

test('whoever uses the keyboard sees where they are, also in the colours of their own', async () => {
  for (const forcedColors of ['none', 'active'] as const) {
    const { page } = await browser.newPage({ forcedColors });
    await page.goto(shown('en', 'report'));
    if (forcedColors === 'active') await picture(page, 'page-forced-colors-report');
    const reached: string[] = [];
    for (;;) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate<{ text: string; ring: number }>(FOCUSED);
      if (reached.includes(at.text) || at.text === '') break;
      expect(at.ring).toBeGreaterThanOrEqual(2);
      reached.push(at.text);
    }
    expect(reached.slice(0, 3)).toEqual(['comment', 'Yes, report it', 'No, go back']);
    expect(reached.length).toBeGreaterThan(6);
  }
});

const FIND_VIOLATIONS = `axe
  .run(document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } })
  .then(({ violations }) => violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]))`;

/** What can be pressed and is smaller than a finger. Links within a sentence may be. */
const FIND_SMALL_TARGETS = `[...document.querySelectorAll('button, a.action, .out a, footer a, input:not([type=hidden]), textarea')]
  .filter((one) => Math.min(one.getBoundingClientRect().height, one.getBoundingClientRect().width) < 44)
  .map((one) => one.outerHTML)`;

/** In lines of text, names above their values included. */
const HEIGHTS_OF_FACTS = `[...document.querySelectorAll('dl > div')].map((one) => {
  const { paddingTop, lineHeight } = getComputedStyle(one);
  return Math.round((one.clientHeight - 2 * parseFloat(paddingTop)) / parseFloat(lineHeight));
})`;

const TOPS_OF_CONTACTS = `[...document.querySelectorAll('.contacts li')].map((one) => one.getBoundingClientRect().top)`;

const SIZE_OF_LOGO = `document.querySelector('.logo > img').getBoundingClientRect().toJSON()`;

const SUM_OF_SHIFTS = `new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => { for (const { value } of list.getEntries()) sum += value; })
    .observe({ type: 'layout-shift', buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => resolve(sum)));
})`;

const FOCUSED = `(() => {
  const one = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(one);
  const text = one === document.body ? '' : one.textContent || one.id;
  return { text, ring: outlineStyle === 'none' ? 0 : parseFloat(outlineWidth) };
})()`;
