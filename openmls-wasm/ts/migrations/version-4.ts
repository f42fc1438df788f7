/**
 * Version 4: digests of groups are in the root over them, not beside it. The root of version 3 had checksums of digests only, and is not
 * read any more: the digest that each group has as a record counts until the group changes.
 */

// See the module's documentation.
export function toVersion4(database: IDBDatabase): void {
  for (const name of ['group_root', 'group_root_node']) {
    database.deleteObjectStore(name);
  }
  for (const name of ['digest_root', 'digest_node']) {
    database.createObjectStore(name);
  }
}
