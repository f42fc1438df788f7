import type { ChatLine } from './types.ts';

/**
 * The order of a conversation: by position in the group's log, the same for every member. A line without one
 * stands where it was taken over, and an own message that still waits to be sent stands last.
 */
export function orderLines(lines: readonly ChatLine[], waits: (id: string) => boolean): ChatLine[] {
  const place = (line: ChatLine): number => {
    if (line.position !== undefined) return line.position;
    return waits(line.id) ? Infinity : line.after + 0.5;
  };
  return [...lines].sort((a, b) => comparePlaces(place(a), place(b)) || a.order - b.order);
}

/** Compares numbers that may be infinite. */
export function comparePlaces(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1; // Infinity - Infinity is not a number.
}
