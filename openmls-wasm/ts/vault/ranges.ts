/** What is deleted by ranges in a sealed database, where keys are blinded and have another order. */

import type { DeletedRange, StorageEvent } from '../mls-types.js';
import type { WriteBatch } from '../persister.js';

/**
 * The ranges that are ranges in a sealed database too: a value with all its parts, whose keys begin with its own. No part
 * outlives its value, so there is nothing else below it. What else is deleted goes record by record: the handshake ratchets of an
 * epoch that is retained, for one.
 * @param events in the clear
 * @param sealed the same
 * @returns the sealed events, those of a range in the order of their blinded keys, and the ranges
 */
export function sealedRanges(
  events: readonly StorageEvent[],
  sealed: readonly StorageEvent[],
  ranges: readonly DeletedRange[] = [],
): Pick<WriteBatch, 'events' | 'deletedRanges'> {
  const ordered = [...sealed];
  const deletedRanges: DeletedRange[] = [];
  for (const [first, last] of ranges) {
    for (let head = first, end = first; head <= last; head = end = end + 1) {
      const below = `${events[head]?.key ?? ''}/`;
      while (end < last && events[end + 1]?.key.startsWith(below) === true) {
        end += 1;
      }
      if (end > head) {
        const value = ordered.slice(head, end + 1).sort((one, other) => (one.key < other.key ? -1 : 1));
        ordered.splice(head, value.length, ...value);
        deletedRanges.push([head, end]);
      }
    }
  }
  return { events: ordered, deletedRanges };
}
