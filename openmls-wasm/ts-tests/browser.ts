/** A real Chromium over the test server, shared by the tests of one file. */

import { after, before } from 'node:test';
import type { Server } from 'node:http';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { startServer } from './server.js';

const ARGUMENTS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Opens pages; errors that a page does not catch are collected. */
export interface Pages {
  readonly errors: string[];
  context(): Promise<BrowserContext>;
  /** A page with `script` of the folder `page`, loaded; in a context of its own unless one is given. */
  open(script: string, context?: BrowserContext, prefix?: '/test-hooks'): Promise<Page>;
}

/** Starts browser and server before the tests of this file, stops them afterwards. */
export function usePages(): Pages {
  let browser: Browser | undefined;
  let server: Server | undefined;
  let origin = '';
  before(async () => {
    ({ server, origin } = await startServer());
    browser = await chromium.launch({
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: ARGUMENTS,
    });
  });
  after(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
  });
  const pages: Pages = {
    errors: [],
    context: async () => {
      if (browser === undefined) {
        throw new Error('no browser yet');
      }
      return browser.newContext();
    },
    open: async (script, context, prefix = undefined) => {
      const page = await (context ?? (await pages.context())).newPage();
      page.on('pageerror', (error) => pages.errors.push(error.message));
      page.on('console', (message) => {
        if (message.type() === 'error') {
          pages.errors.push(message.text());
        }
      });
      await page.goto(`${origin}${prefix ?? ''}/page/${script}`, { waitUntil: 'load' });
      return page;
    },
  };
  return pages;
}
