/** The client in a worker. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usePages } from './browser.js';
import { runScenarios } from './run-scenarios.js';

const pages = usePages();

test('scenarios with clients in workers', async (t) => {
  const page = await pages.open('worker-scenarios');
  assert.deepEqual(pages.errors, []);
  // The browser itself reports the worker that cannot be loaded.
  await runScenarios(t, pages, page, 6, (error) => !error.includes('no-such-file'));
});
