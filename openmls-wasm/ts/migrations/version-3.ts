/**
 * Version 3: stores for what is damaged, the root over the digests of groups, the chain of uploads, groups that are known from a snapshot, and
 * for that a database was moved; and room in `meta` for the header of a vault, which older versions must not miss.
 */

import { QUARANTINE_STORE } from '../indexeddb-layout.js';

// Named here, not by the schema: a step does for ever what it did first.
const CATEGORIES = ['group_root', 'group_root_node', 'inert_group', 'moved_away', 'upload_chain'];

// See the module's documentation.
export function toVersion3(database: IDBDatabase): void {
  for (const name of CATEGORIES) {
    database.createObjectStore(name);
  }
  database.createObjectStore(QUARANTINE_STORE, { autoIncrement: true });
}
