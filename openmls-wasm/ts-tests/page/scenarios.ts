/** All scenarios, by group and name. The page offers them to the test runner as `window.scenarios`. */

import { IndexedDbPersister, type CoreCryptoClient } from 'openmls-wasm';
import { persisterSuite } from 'openmls-wasm/persister-suite';
import { incoming } from './incoming.js';
import { loop } from './loop.js';
import { opening } from './opening.js';
import { outage } from './outage.js';
import { panic } from './panic.js';
import * as support from './support.js';
import { validation } from './validation.js';

export const scenarios: Record<string, Record<string, support.Scenario>> = {
  loop,
  outage,
  panic,
  opening,
  incoming,
  validation,
  'IndexedDbPersister (strict)': suite('strict'),
  'IndexedDbPersister (relaxed)': suite('relaxed'),
};

function suite(durability: 'strict' | 'relaxed'): Record<string, support.Scenario> {
  return Object.fromEntries(
    persisterSuite.map(({ name, run }) => [
      name,
      () => run((database) => new IndexedDbPersister({ name: database, durability })),
    ]),
  );
}

declare global {
  interface Window {
    scenarios: typeof scenarios;
    support: typeof support;
    /** Of the page that a test works with; see tabs.test.ts. */
    client: CoreCryptoClient;
  }
}

window.scenarios = scenarios;
window.support = support;
