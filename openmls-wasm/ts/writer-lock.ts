/**
 * Who may write a database: one client at a time, among all tabs and workers of the origin (promise G4).
 *
 * A Web Lock elects the writer. The browser takes it back when the tab goes away, so a crash leaves nothing behind. The
 * lock alone does not stop a tab that was frozen and wakes up late; for that each write checks the fencing number (see
 * `Persister.claimWriter`).
 */

import { CoreCryptoError } from './errors.js';

/** The writer's role, held until released. */
export interface WriterLock {
  /** Gives the role up; calling it twice is harmless. */
  release(): void;
  /** Settles when the role is no longer held: released, or stolen by another client. */
  readonly lost: Promise<void>;
}

/** Gets the writer's role of the database `name`, or rejects with `already-open`. */
export type RequestWriter = (name: string) => Promise<WriterLock>;

/**
 * Takes the Web Lock of the database `name`.
 * @throws CoreCryptoError `already-open` if another client holds it, `locks-unavailable` in an insecure context.
 */
export const requestWebLock: RequestWriter = (name) => {
  const locks = typeof navigator === 'undefined' ? undefined : (navigator.locks as LockManager | undefined);
  if (locks === undefined) {
    return Promise.reject(
      new CoreCryptoError(
        'locks-unavailable',
        `cannot open database "${name}": Web Locks are not available; serve the page from https or localhost`,
      ),
    );
  }
  return new Promise<WriterLock>((resolve, reject) => {
    let release = (): void => undefined;
    const held = new Promise<void>((done) => {
      release = done;
    });
    const lost = locks
      .request(`openmls-wasm writer ${name}`, { mode: 'exclusive', ifAvailable: true }, (lock) => {
        if (lock === null) {
          reject(
            new CoreCryptoError(
              'already-open',
              `database "${name}" is open in another tab or client; close that one, then open again`,
            ),
          );
          return undefined;
        }
        resolve({ release, lost: settled });
        return held;
      })
      .then(
        () => undefined,
        // Stolen, or refused: who waits for `lost` learns it by that alone; `reject` does nothing if we once held it.
        (error: unknown) => {
          reject(
            new CoreCryptoError('locks-unavailable', `cannot open database "${name}": the browser refused a Web Lock`, {
              cause: error,
            }),
          );
        },
      );
    const settled = lost;
  });
};
