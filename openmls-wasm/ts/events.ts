/** A typed emitter, and the events of a `CoreCryptoClient`. */

import type { CoreCryptoErrorCode } from './errors.js';
import type { InboxItem, OutboxEntry } from './mls-types.js';
import type { StorageRoom } from './storage-room.js';
import type { VaultProgress } from './vault/header.js';

/** A transaction is complete. */
export interface SavedEvent {
  /** The number of records it changed. */
  readonly records: number;
}

/** A write, a look at what has become of one, or another read has failed. */
export interface StorageErrorEvent {
  /** Why: a `PersisterFailure`, a `CoreCryptoErrorCode`, or `unknown`. */
  readonly reason: string;
  /** Why, for people. */
  readonly message: string;
  /** The number of failures in a row. */
  readonly attempt: number;
  /** When it is tried again, in milliseconds from now; undefined: this was the last attempt. */
  readonly retryInMs: number | undefined;
}

/** A write, or a read, has succeeded after one or more that failed. */
export interface StorageRecoveredEvent {
  /** The number of attempts, the one that succeeded included. */
  readonly attempts: number;
}

/** Writing was given up. */
export interface RolledBackEvent {
  /** The number of calls that are about to reject. */
  readonly rejected: number;
}

/** A fresh instance of the wasm goes on from what was saved. */
export interface EngineRestartedEvent {
  /** Why, for people. */
  readonly reason: string;
}

/** Another client has taken over the database. */
export interface WriterLostEvent {
  /** What happened, for people. */
  readonly message: string;
}

/** Items that are now durable in the inbox. */
export interface InboxEvent {
  /** In order; acknowledge each by its id. */
  readonly items: readonly InboxItem[];
}

/** Entries that are now durable in the outbox. */
export interface OutboxEvent {
  /** In order; they may be uploaded. */
  readonly entries: readonly OutboxEntry[];
}

/** Something handed in before the client was open cannot be processed. */
export interface IncomingFailedEvent {
  /** What was handed in. */
  readonly kind: 'message' | 'welcome';
  /** The id it was handed in with. */
  readonly id: string | undefined;
  /** The position it was handed in with. */
  readonly position: number | undefined;
  /** The code of the error. */
  readonly code: CoreCryptoErrorCode;
  /** Whether it stays in the queue, to be tried again at the next open. */
  readonly kept: boolean;
}

/** Of `quarantined`. */
export interface QuarantinedEvent {
  /** The kind of record. */
  readonly category: string;
  /** Its key; in a vault, the key under which it was stored. */
  readonly key: string;
}

/** Event name → what its listeners get. */
export interface CoreCryptoEvents {
  /** There is little room left for this origin: less than 64 MiB, or a tenth of what it may have. Nothing has failed yet. */
  'storage-low': StorageRoom;
  /** With `quarantineDamaged`: a record that could not be read was moved out of the way. */
  quarantined: QuarantinedEvent;
  /** While opening: how far a conversion of the vault is that was not finished before; see `sealDatabase`. */
  'vault-progress': VaultProgress;
  /** A transaction is complete: everything in it is durable (promise G1). */
  saved: SavedEvent;
  /**
   * A write has failed, or a read: of a group that is used for the first time, or of the database after writes of which it is
   * not known whether they were committed. It is tried again after `retryInMs` milliseconds; undefined: this was the last
   * attempt.
   */
  'storage-error': StorageErrorEvent;
  /** A write, or a read, has succeeded after one or more that failed. */
  'storage-recovered': StorageRecoveredEvent;
  /** Writing was given up: memory is back at what the database holds, and `rejected` calls are about to reject. */
  'rolled-back': RolledBackEvent;
  /** wasm panicked, or the database had to be read again: a fresh instance goes on from what was saved. */
  'engine-restarted': EngineRestartedEvent;
  /** Another client has taken over the database; this one has failed for good. */
  'writer-lost': WriterLostEvent;
  /** Items that are now durable in the inbox. Items of one event are in order; acknowledge each by id. */
  inbox: InboxEvent;
  /** Entries that are now durable in the outbox and may be uploaded. */
  outbox: OutboxEvent;
  /** Something handed in before the client was open cannot be processed; `kept`: it is tried again at the next open. */
  'incoming-failed': IncomingFailedEvent;
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
