import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { commandFor } from './tools.ts';

// Not by import: Jest would look for export names in its one huge file, and not come back.
const { chromium } = createRequire(import.meta.url)('playwright-core') as typeof import('playwright-core');
const ARTIFACTS = new URL('../artifacts/', import.meta.url).pathname;
/** Chromium must not call home: the machine may have no way out. */
const QUIET = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/** A real Chromium; every page reports what it finds wrong (errors, refused content) and whom it talks to. */
export async function openBrowser() {
  const browser = await chromium.launch({
    executablePath: commandFor('browser'),
    args: ['--no-sandbox', '--disable-gpu', ...QUIET],
  });
  mkdirSync(ARTIFACTS, { recursive: true });
  return {
    async newPage(options: BrowserContextOptions) {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      const complaints: string[] = [];
      const hosts = new Set<string>();
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('request', (request) => {
        if (request.url().startsWith('http')) hosts.add(new URL(request.url()).host);
      });
      return { page, complaints, hosts };
    },
    close: () => browser.close(),
  };
}

/** Keeps a picture for people to look at. */
export async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${ARTIFACTS}${name}.png`, fullPage: true });
}
