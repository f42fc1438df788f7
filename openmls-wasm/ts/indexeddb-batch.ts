/** The requests that write a batch. */

import type { DeletedRange, StorageEvent } from './mls-types.js';

// Queues what `events` come to. A range is deleted with one request, however many records it has: at the end of an epoch in which
// a thousand members have spoken a request for each would take as long as the cryptography of the commit.
export function queueEvents(
  transaction: IDBTransaction,
  events: readonly StorageEvent[],
  deletedRanges: readonly DeletedRange[] = [],
): void {
  const lastOf = new Map(deletedRanges);
  let deletedUpTo = -1;
  let store: IDBObjectStore | undefined;
  for (const [index, { category, key, value }] of events.entries()) {
    if (index <= deletedUpTo) {
      continue;
    }
    if (store?.name !== category) {
      store = transaction.objectStore(category);
    }
    if (value !== null) {
      store.put(value, key);
      continue;
    }
    const last = lastOf.get(index);
    const end = last === undefined ? undefined : events[last];
    if (last === undefined || end === undefined) {
      store.delete(key);
    } else {
      store.delete(IDBKeyRange.bound(key, end.key));
      deletedUpTo = last;
    }
  }
}
