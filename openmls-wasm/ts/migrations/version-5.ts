/**
 * Version 5: what a commit changes of a group whatever its size is one record. What was a record of its own moves when that one is
 * written next; until then it stays where it is.
 */

// See the module's documentation.
export function toVersion5(database: IDBDatabase): void {
  database.createObjectStore('epoch_records');
}
