/**
 * Writes the database of this version as a fixture: `node ts-tests/dist/make-fixture.js <name> [sealed]`. To be run once for each
 * new layout or format, before it is released; a fixture is never written anew.
 */

import { writeFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { startServer } from './server.js';

const [, , name = 'unnamed', kind] = process.argv;
const { origin, server } = await startServer();
const browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
const page = await browser.newPage();
await page.goto(`${origin}/page/fixture`, { waitUntil: 'load' });
const fixture = await page.evaluate(
  (sealed) => (window as unknown as { makeFixture(sealed: boolean): Promise<unknown> }).makeFixture(sealed),
  kind === 'sealed',
);
writeFileSync(new URL(`../fixtures/${name}.json`, import.meta.url), `${JSON.stringify(fixture, undefined, 1)}\n`, { flag: 'wx' });
await browser.close();
server.closeAllConnections();
server.close();
