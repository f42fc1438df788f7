/**
 * From each layout of the database to the next, one file each. A step runs inside the transaction in which IndexedDB gives the
 * database its new version: all of it is done, or nothing. It never reads or rewrites records: their encoding has a format of
 * its own (`meta/format`), and each value says which one it is in.
 *
 * A new step has a fixture: a database of the version before it, in `ts-tests/fixtures`, opened by a test for ever.
 */

import { toVersion3 } from './version-3.js';
import { toVersion4 } from './version-4.js';
import { toVersion5 } from './version-5.js';

// One step.
export interface Migration {
  // The version it leads to, from the one before.
  readonly to: number;
  readonly run: (database: IDBDatabase) => void;
}

/** The first version that was kept: older ones are refused with `unsupported-format`, and left as they are. */
export const FIRST_VERSION = 2;

// In order, without gaps.
export const MIGRATIONS: readonly Migration[] = [
  { to: 3, run: toVersion3 },
  { to: 4, run: toVersion4 },
  { to: 5, run: toVersion5 },
];
