/**
 * Version 4: digests of groups are in the root over them, not beside it. The root of version 3 had checksums of digests only, and is not
 * read any more: the digest that each group has as a record counts until the group changes. Until then that it was put back as a whole is
 * not found, as in version 2; version 3 was never published.
 */

// See the module's documentation.
export function toVersion4(database: IDBDatabase): void {
  for (const name of ['group_root', 'group_root_node'].filter((store) => database.objectStoreNames.contains(store))) {
    database.deleteObjectStore(name);
  }
  for (const name of ['digest_root', 'digest_node']) {
    database.createObjectStore(name);
  }
}
