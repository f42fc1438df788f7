/**
 * Keeps this page out of the browser's back/forward cache, which does not take pages that hold a Web Lock.
 *
 * In there a page is frozen as it was left: with what it shows, though the chat may be locked since; and, left while a
 * database is being made or changed, with that half done, so that the next page waits for it for minutes (Chromium 156).
 * Settles when the lock is held, or cannot be had.
 */
export function stayOutOfPageCache(): Promise<void> {
  return new Promise((settled) => {
    const { locks } = navigator as { locks?: LockManager };
    if (locks === undefined) return settled();
    const held = locks.request(`chat page ${crypto.randomUUID()}`, () => {
      settled();
      return new Promise<never>(() => undefined); // Until the page is gone.
    });
    held.catch(() => settled());
  });
}
