/** The same loop over the real engine. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usePages } from './browser.js';
import { runScenarios } from './run-scenarios.js';

const pages = usePages();

test('scenarios over the real engine', async (t) => {
  const page = await pages.open('real-scenarios');
  assert.deepEqual(pages.errors, []);
  await runScenarios(t, pages, page, 5);
});
