/** The requests that write a batch. */

import type { Category, StorageEvent } from './mls-types.js';

// Queues what `events` come to. A value whose head is deleted goes with one request, however many parts it has: that is the
// end of an epoch in a large group, and one request for each part would take longer than the cryptography of a commit. The
// engine names a head before its parts; of one that is named after them each part is deleted by itself.
export function queueEvents(
  transaction: IDBTransaction,
  events: readonly StorageEvent[],
  categories: readonly Category[],
): void {
  const inParts = new Set(categories.filter(({ hasParts }) => hasParts).map(({ name }) => name));
  let store: IDBObjectStore | undefined;
  // What the keys of the parts begin with that are deleted already.
  let ended: string | undefined;
  for (const [index, { category, key, value }] of events.entries()) {
    if (store?.name !== category) {
      store = transaction.objectStore(category);
      ended = undefined;
    }
    if (value !== null) {
      store.put(value, key);
      continue;
    }
    if (ended !== undefined && key.startsWith(ended)) {
      continue;
    }
    const next = events[index + 1];
    const endsParts = next?.value === null && next.category === category && inParts.has(category) && next.key.startsWith(`${key}/`);
    ended = endsParts ? `${key}/` : undefined;
    // '0' is the character after '/', so this is the head and all its parts.
    store.delete(endsParts ? IDBKeyRange.bound(key, `${key}0`, false, true) : key);
  }
}
