/** The calls that a write-behind loop has in hand, and what becomes of those it cannot serve. */

import { CoreCryptoError, fromMlsError, isMlsError, messageOf, type MlsError } from './errors.js';
import type { Page } from './mls-types.js';
import { PersisterError } from './persister.js';

// A call whose operation has run, and whose result is not released yet.
export interface Call {
  readonly release: () => void;
  readonly reject: (error: CoreCryptoError) => void;
  readonly incomingKey: number | undefined;
}

// A call made while there is no engine.
export interface DeferredCall {
  readonly start: () => void;
  readonly reject: (error: CoreCryptoError) => void;
}

// Why there is no engine just now.
export interface Loss {
  readonly code: 'engine-panicked' | 'storage-failed';
  readonly cause: unknown;
}

// Settles a call's promise with what its operation did.
export type Settle<T> = (resolve: (value: T) => void, reject: (error: CoreCryptoError) => void) => void;

// What became of an operation.
export interface Performed<T> {
  // How its promise is to be settled.
  readonly settle: Settle<T>;
  // Whether it was refused: by the engine, or by a check of its arguments.
  readonly refused: boolean;
  // What it needs in memory first; it has changed nothing.
  readonly missing?: Page;
}

/**
 * Runs a synchronous operation of the engine.
 * @throws whatever else was thrown than a refusal: a panic.
 */
export function perform<T>(operation: () => T): Performed<T> {
  try {
    const value = operation();
    return { settle: (resolve) => resolve(value), refused: false };
  } catch (error) {
    if (!isMlsError(error) && !(error instanceof CoreCryptoError)) {
      throw error;
    }
    const missing = missingPage(error);
    if (missing !== undefined) {
      return { settle: (_, reject) => reject(unreadable(error)), refused: true, missing };
    }
    const refusal = error instanceof CoreCryptoError ? error : fromMlsError(error);
    return { settle: (_, reject) => reject(refusal), refused: true };
  }
}

// The page that an operation lacks.
export function missingPage(error: unknown): Page | undefined {
  if (!isMlsError(error) || error.code !== 'not-loaded') {
    return undefined;
  }
  const { group, category, key }: { group?: unknown; category?: unknown; key?: unknown } = error;
  if (typeof group === 'string') {
    return { group };
  }
  return typeof category === 'string' ? { category, ...(typeof key === 'string' ? { key } : {}) } : undefined;
}

// The name of a page.
export function pageName(page: Page): string {
  return 'group' in page ? `group/${page.group}` : page.key === undefined ? page.category : `${page.category}/${page.key}`;
}

// What a call rejects with that needs something which cannot be read. It has changed nothing.
export function unreadable(error: unknown): CoreCryptoError {
  if (error instanceof CoreCryptoError) {
    return error;
  }
  return isMlsError(error)
    ? refusalToRead(error)
    : new CoreCryptoError(
        'storage-failed',
        `the database could not be read (${messageOf(error)}); the call has had no effect, repeat it later`,
        { cause: error },
      );
}

// A record that cannot be read is told by one code, as when opening; the text says what is wrong with it.
function refusalToRead(error: MlsError): CoreCryptoError {
  const { code, message, category, key } = error;
  return code === 'damaged-group' || key === undefined
    ? fromMlsError(error)
    : new CoreCryptoError('damaged-record', `${message}; all is left as it is`, { cause: error, category, key });
}

// What a call rejects with whose engine was lost, or whose changes were rolled back.
export function lossError(loss: Loss): CoreCryptoError {
  return loss.code === 'engine-panicked'
    ? new CoreCryptoError(
        'engine-panicked',
        `openmls-wasm panicked (${messageOf(loss.cause)}); the call has had no effect, the client goes on from what was saved`,
        { cause: loss.cause },
      )
    : new CoreCryptoError(
        'storage-failed',
        `the database could not be written (${messageOf(loss.cause)}); what the call did was taken back, repeat it once there is storage again`,
        { cause: loss.cause },
      );
}

// What a call rejects with of which nobody can say whether it is durable, because the loop ends before it is known.
export function unknownOutcome(cause: unknown): CoreCryptoError {
  return new CoreCryptoError(
    'outcome-unknown',
    `the connection to the database was lost while the call was written (${messageOf(cause)}); its effect may be stored: inbox() and outbox() tell after the next open`,
    { cause },
  );
}

// What a call rejects with that waited for a new engine, when there could be none.
export function restartError(error: unknown): CoreCryptoError {
  if (error instanceof CoreCryptoError) {
    return error;
  }
  const ofStorage = error instanceof PersisterError || error instanceof DOMException;
  return lossError({ code: ofStorage ? 'storage-failed' : 'engine-panicked', cause: error });
}
