/** The union of error codes in TypeScript names every code of the Rust client. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { CLIENT_ERROR_CODES, MLS_ERROR_CODES } from 'openmls-wasm';

test('error codes of Rust and TypeScript are the same', async () => {
  const source = await readFile(new URL('../../src/client/error.rs', import.meta.url), 'utf8');
  const codes = new Set([...source.matchAll(/=> "([a-z-]+)"/g)].map(([, code]) => code ?? ''));
  assert.ok(codes.size > 20, `${codes.size} codes found in Rust`);
  const known = new Set<string>([...CLIENT_ERROR_CODES, ...MLS_ERROR_CODES]);
  assert.deepEqual(
    [...codes].filter((code) => !known.has(code)),
    [],
    'codes that TypeScript does not know',
  );
  assert.deepEqual(
    MLS_ERROR_CODES.filter((code) => !codes.has(code)),
    [],
    'codes that Rust does not have',
  );
});
