/** Version 4: stores for groups that are known from a snapshot, and for that a database was moved. */

// See the module's documentation. Named here, not by the schema: a step does for ever what it did first.
export function toVersion4(database: IDBDatabase): void {
  for (const name of ['inert_group', 'moved_away']) {
    if (!database.objectStoreNames.contains(name)) {
      database.createObjectStore(name);
    }
  }
}
