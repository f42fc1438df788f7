/** Snapshots, over the real engine and the real database. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usePages } from './browser.js';
import { runScenarios } from './run-scenarios.js';

const pages = usePages();

test('scenarios of snapshots', async (t) => {
  const page = await pages.open('snapshot-scenarios');
  assert.deepEqual(pages.errors, []);
  await runScenarios(t, pages, page, 12);
});
