/** Version 3: a store for what is damaged, and room in `meta` for the header of a vault, which older versions must not miss. */

import { QUARANTINE_STORE } from '../indexeddb-layout.js';
import type { PersisterSchema } from '../persister.js';

// See the module's documentation.
export function toVersion3(database: IDBDatabase, schema: PersisterSchema): void {
  for (const { name } of schema.categories) {
    if (!database.objectStoreNames.contains(name)) {
      database.createObjectStore(name);
    }
  }
  database.createObjectStore(QUARANTINE_STORE, { autoIncrement: true });
}
