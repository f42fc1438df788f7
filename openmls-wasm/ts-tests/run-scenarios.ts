/** Runs what a page offers as `window.scenarios`, each as a test of its own. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import type { Pages } from './browser.js';

/** Fails if there are fewer than `atLeast` scenarios, or if the page reported an error that is `unexpected`. */
export async function runScenarios(
  t: TestContext,
  pages: Pages,
  page: Page,
  atLeast: number,
  unexpected: (error: string) => boolean = () => true,
): Promise<void> {
  const names = await page.evaluate(() =>
    Object.entries(window.scenarios).flatMap(([group, all]) => Object.keys(all).map((name) => [group, name] as const)),
  );
  assert.ok(names.length >= atLeast, `${names.length} scenarios`);
  for (const [group, name] of names) {
    await t.test(`${group}: ${name}`, { timeout: 60_000 }, async () => {
      await page.evaluate(([inGroup, named]) => window.scenarios[inGroup]?.[named]?.(), [group, name] as const);
    });
  }
  assert.deepEqual(pages.errors.filter(unexpected), []);
}
