/** Every scenario of the page in a real Chromium on a real IndexedDB, over the small fake engine. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usePages } from './browser.js';
import { runScenarios } from './run-scenarios.js';

const pages = usePages();

test('scenarios over the fake engine', async (t) => {
  const page = await pages.open('scenarios');
  assert.deepEqual(pages.errors, []);
  await runScenarios(t, pages, page, 60);
});
