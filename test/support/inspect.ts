import { expect } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { picture } from './browser.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const FIND_VIOLATIONS = `axe.run().then(({ violations }) => violations
  .filter(({ impact }) => impact === 'serious' || impact === 'critical')
  .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`;
const [PHONE, DESKTOP] = [
  { width: 375, height: 720 },
  { width: 1280, height: 800 },
];

/** What people hold in their hands, in both themes. */
export const DEVICES = [
  { name: 'phone-light', viewport: PHONE, colorScheme: 'light' },
  { name: 'phone-dark', viewport: PHONE, colorScheme: 'dark' },
  { name: 'desktop-light', viewport: DESKTOP, colorScheme: 'light' },
  { name: 'desktop-dark', viewport: DESKTOP, colorScheme: 'dark' },
] as const;

/** Keeps a picture of a page of ours, which must fit its window and be usable by everybody. */
export async function inspect(page: Page, name: string): Promise<void> {
  await picture(page, name);
  // Through the debugger, because the page itself would refuse it.
  await page.evaluate(AXE);
  expect(await page.evaluate(FIND_VIOLATIONS)).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth > window.innerWidth')).toBe(false);
}

/** The same on every device, without walking there anew on each; `name` with the device's in place of `*`. */
export async function inspectEverywhere(page: Page, name: string): Promise<void> {
  for (const { name: device, viewport, colorScheme } of DEVICES) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await inspect(page, name.replace('*', device));
  }
}
