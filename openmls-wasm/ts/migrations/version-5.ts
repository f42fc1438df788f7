/**
 * Version 5: what a commit changes of a group whatever its size is one record. Each of them moves when its group changes next; until then
 * it stays where it is.
 */

// See the module's documentation.
export function toVersion5(database: IDBDatabase): void {
  database.createObjectStore('epoch_records');
}
