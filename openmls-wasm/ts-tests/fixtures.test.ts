/** Databases that earlier versions of the package have written open, with everything in them. */

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { usePages } from './browser.js';
import { runScenarios } from './run-scenarios.js';

const pages = usePages();
const names = readdirSync(new URL('../fixtures', import.meta.url)).map((file) => file.replace(/\.json$/, ''));

test('databases of earlier versions', async (t) => {
  const page = await pages.open(`fixture-scenarios?${names.map((name) => `fixture=${name}`).join('&')}`);
  assert.deepEqual(pages.errors, []);
  await runScenarios(t, pages, page, 5);
});
