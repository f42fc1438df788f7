/** The same loop over the real engine, and what it refuses. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { usePages } from './browser.js';
import { runScenarios } from './run-scenarios.js';

const pages = usePages();

test('scenarios over the real engine', async (t) => {
  const page = await pages.open('real-scenarios');
  assert.deepEqual(pages.errors, []);
  await runScenarios(t, pages, page, 50);
});

const hooks = existsSync(new URL('../../pkg-test/openmls_wasm_bg.wasm', import.meta.url));

test('the same over a build with test hooks, where a panic is a panic', { skip: !hooks && 'pkg-test is not built' }, async (t) => {
  const page = await pages.open('real-scenarios', undefined, '/test-hooks');
  pages.errors.length = 0;
  await runScenarios(t, pages, page, 50, (error) => !error.includes('panicked'));
  assert.ok(pages.errors.some((error) => error.includes('panicked')), 'wasm has panicked');
});
