/** A typed emitter, and the events of a `CoreCryptoClient`. */

import type { CoreCryptoErrorCode } from './errors.js';
import type { InboxItem, OutboxEntry } from './mls-types.js';

/** Event name → what its listeners get. */
export interface CoreCryptoEvents {
  /** A transaction is complete: everything in it is durable (promise G1). */
  saved: { readonly records: number };
  /**
   * A write has failed, or reading the database again after writes of which it is not known whether they were committed.
   * It is tried again after `retryInMs` milliseconds; undefined: this was the last attempt.
   */
  'storage-error': {
    readonly reason: string;
    readonly message: string;
    readonly attempt: number;
    readonly retryInMs: number | undefined;
  };
  /** A write has succeeded after one or more that failed. */
  'storage-recovered': { readonly attempts: number };
  /** Writing was given up: memory is back at what the database holds, and `rejected` calls are about to reject. */
  'rolled-back': { readonly rejected: number };
  /** wasm panicked, or the database had to be read again: a fresh instance goes on from what was saved. */
  'engine-restarted': { readonly reason: string };
  /** Another client has taken over the database; this one has failed for good. */
  'writer-lost': { readonly message: string };
  /** Items that are now durable in the inbox. Items of one event are in order; acknowledge each by id. */
  inbox: { readonly items: readonly InboxItem[] };
  /** Entries that are now durable in the outbox and may be uploaded. */
  outbox: { readonly entries: readonly OutboxEntry[] };
  /** Something handed in before the client was open cannot be processed; `kept`: it is tried again at the next open. */
  'incoming-failed': {
    readonly kind: 'message' | 'welcome';
    readonly id: string | undefined;
    readonly position: number | undefined;
    readonly code: CoreCryptoErrorCode;
    readonly kept: boolean;
  };
}

/** Calls listeners in the order they were added. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /**
   * Adds a listener.
   * @returns a function that removes it; calling that twice is harmless.
   */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // Wrapped, so that a function added twice is called twice and removed once.
    const entry = (event: Events[Name]): void => listener(event);
    listeners.add(entry);
    return () => {
      listeners.delete(entry);
    };
  }

  /** Calls the listeners of `name`. One that throws is reported like any uncaught error, and disturbs nothing else. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) {
      return;
    }
    for (const listener of [...listeners] as ((event: Events[Name]) => void)[]) {
      try {
        listener(event);
      } catch (error) {
        reportUncaught(error);
      }
    }
  }
}

/** Hands an app's error to the app's own error handling (`window.onerror`), outside of our call stack. */
function reportUncaught(error: unknown): void {
  if (typeof reportError === 'function') {
    reportError(error);
  } else {
    queueMicrotask(() => {
      throw error;
    });
  }
}
