/** The requests that write a batch. */

import type { Category, StorageEvent } from './mls-types.js';

// Queues what `events` come to. A value whose head is deleted goes with one request, however many parts it has: that is the
// end of an epoch in a large group, and one request for each part would take longer than the cryptography of a commit.
export function queueEvents(
  transaction: IDBTransaction,
  events: readonly StorageEvent[],
  categories: readonly Category[],
): void {
  const ends = endsOf(events, categories);
  let store: IDBObjectStore | undefined;
  for (const { category, key, value } of events) {
    if (store?.name !== category) {
      store = transaction.objectStore(category);
    }
    if (value !== null) {
      store.put(value, key);
    } else if (ends.has(`${category}/${key}`)) {
      // '0' is the character after '/', so this is the head and all its parts.
      store.delete(IDBKeyRange.bound(key, `${key}0`, false, true));
    } else if (!ends.has(`${category}/${headOf(key)}`)) {
      store.delete(key);
    }
  }
}

// The deleted heads that have deleted parts.
function endsOf(events: readonly StorageEvent[], categories: readonly Category[]): ReadonlySet<string> {
  const inParts = new Set(categories.filter(({ hasParts }) => hasParts).map(({ name }) => name));
  const deleted = events.filter(({ category, value }) => value === null && inParts.has(category));
  const keys = new Set(deleted.map(({ category, key }) => `${category}/${key}`));
  return new Set(deleted.map(({ category, key }) => `${category}/${headOf(key)}`).filter((head) => keys.has(head)));
}

// The key of the head, if `key` is that of a part.
function headOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('/')));
}
