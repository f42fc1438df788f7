/** Runs every scenario of the page in a real Chromium on a real IndexedDB, over the small fake engine. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Page } from 'playwright-core';
import { usePages } from './browser.js';

const pages = usePages();

describe('scenarios', async () => {
  let page: Page;
  test('the page loads under its policy', async () => {
    page = await pages.open('scenarios');
    assert.deepEqual(pages.errors, []);
  });
  test('each scenario', async (t) => {
    const names = await page.evaluate(() =>
      Object.entries(window.scenarios).flatMap(([group, all]) => Object.keys(all).map((name) => [group, name] as const)),
    );
    assert.ok(names.length > 50);
    for (const [group, name] of names) {
      await t.test(`${group}: ${name}`, { timeout: 30_000 }, async () => {
        await page.evaluate(([inGroup, named]) => window.scenarios[inGroup]?.[named]?.(), [group, name] as const);
      });
    }
    assert.deepEqual(pages.errors, []);
  });
});
