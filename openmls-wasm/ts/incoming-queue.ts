/**
 * The durable queue of what is handed in before the client is open (promise G5).
 *
 * A Welcome or message that arrives while the client is opening is written to the store `incoming` and its promise
 * settles; nothing is processed before the state it needs is loaded. Then entries are processed in order. Each is
 * deleted in the transaction that makes its effect durable, so a crash in between processes it again, and never twice:
 * an effect and the entry's end are one. A repeated delivery is recognized by its position, by the delivery cursor.
 *
 * What is refused is tried again after each entry that is not, in order and before anything newer: the Welcome may have
 * come after the messages, the removal from a group after the Welcome that adds this client to it once more, a message
 * after the one that follows it. Each time, all that are refused are tried once, and again only while one of them goes
 * through; so there is an end. What is still refused then stays for the next open, {@link MAX_ATTEMPTS} times in all; the
 * event `incoming-failed` tells. So does an entry on which wasm panics, or one bad message would keep the client from
 * ever opening; that one is not tried twice at one opening. An opening at which the app's validator failed is not
 * counted, neither for what it was asked about nor for what may wait behind that. Nor is one counted at which the group
 * of the entry could not be read: that is no fault of the entry, and must not be the end of a message.
 */

import { CoreCryptoError, type CoreCryptoErrorCode } from './errors.js';
import type { CoreCryptoEvents, Emitter } from './events.js';
import type { InboxItem } from './mls-types.js';
import { FATAL_CODES, type IncomingEntry, type ClientDatabase, type StoredIncoming } from './persister.js';

/** At how many openings an entry is tried that is refused each time. */
export const MAX_ATTEMPTS = 3;

/** Processes one entry and settles when its effect and its end are durable. */
export type ProcessEntry = (entry: IncomingEntry, key: number) => Promise<InboxItem | undefined>;

type Outcome = 'done' | 'refused';

/** Errors that say nothing about the entry: the client could not work at all. */
const NOT_ABOUT_THE_ENTRY: ReadonlySet<CoreCryptoErrorCode> = new Set<CoreCryptoErrorCode>([
  ...[...FATAL_CODES].filter((code) => code !== 'damaged-record'),
  'storage-failed',
  'outcome-unknown',
  'closed',
  'wasm-unavailable',
  'indexeddb-unavailable',
]);

/** Records that an entry needs cannot be read. Others can: a database of which nothing can be read is not opened. */
const UNREADABLE: ReadonlySet<CoreCryptoErrorCode> = new Set<CoreCryptoErrorCode>(['damaged-record', 'damaged-group']);

/** See the module's documentation. */
export class IncomingQueue {
  readonly #persister: ClientDatabase;
  readonly #events: Emitter<CoreCryptoEvents>;
  readonly #adding = new Set<Promise<unknown>>();

  constructor(persister: ClientDatabase, events: Emitter<CoreCryptoEvents>) {
    this.#persister = persister;
    this.#events = events;
  }

  /**
   * Appends an entry once `connected`; settles when it is durable.
   * From the moment of the call, `process` does not end before the entry has been processed.
   */
  async add(connected: Promise<unknown>, entry: IncomingEntry): Promise<void> {
    const added = connected.then(() => this.#persister.addIncoming(entry));
    this.#adding.add(added);
    try {
      await added;
    } finally {
      this.#adding.delete(added);
    }
  }

  /** Settles when everything that is on its way into the queue is in it, or has failed. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#adding);
  }

  /**
   * Processes the queue until there is nothing left in it and nothing on its way into it.
   * @param onEmpty called in that very moment: what arrives from then on need not go through the queue
   * @throws CoreCryptoError if the client cannot work; what is not processed stays in the queue
   */
  async process(run: ProcessEntry, onEmpty: () => void): Promise<void> {
    let last = -Infinity;
    const refused: RefusedEntry[] = [];
    for (;;) {
      // In the order of the calls: IndexedDB gives keys in the order the requests were made.
      await this.settled();
      const stored = await this.#persister.listIncoming();
      const entries = stored.filter((one): one is StoredIncoming => one.key > last && one.entry.kind !== 'sealed');
      for (const entry of entries) {
        last = entry.key;
        await this.#processInOrder(run, entry, refused);
      }
      if (entries.length === 0 && this.#adding.size === 0) {
        await this.#keepOrDrop(refused);
        // Keeping and dropping takes a while, in which something may have arrived.
        if (this.#adding.size === 0) {
          onEmpty();
          return;
        }
        refused.length = 0;
      }
    }
  }

  async #processInOrder(run: ProcessEntry, stored: StoredIncoming, refused: RefusedEntry[]): Promise<void> {
    let outcome = await this.#processOne(run, stored, refused);
    while (outcome === 'done') {
      outcome = await this.#retryRefused(run, refused);
    }
  }

  /** Tries what was refused once more, in order; `done` if any of it went through. */
  async #retryRefused(run: ProcessEntry, refused: RefusedEntry[]): Promise<Outcome> {
    let any: Outcome = 'refused';
    for (const earlier of refused.splice(0)) {
      if (earlier.code === 'engine-panicked') {
        refused.push(earlier);
      } else if ((await this.#processOne(run, earlier.stored, refused)) === 'done') {
        any = 'done';
      }
    }
    return any;
  }

  async #processOne(run: ProcessEntry, stored: StoredIncoming, refused: RefusedEntry[]): Promise<Outcome> {
    try {
      await run(stored.entry, stored.key);
      return 'done';
    } catch (error) {
      if (!(error instanceof CoreCryptoError) || NOT_ABOUT_THE_ENTRY.has(error.code)) {
        throw error;
      }
      refused.push({ stored, code: error.code });
      return 'refused';
    }
  }

  async #keepOrDrop(refused: readonly RefusedEntry[]): Promise<void> {
    const counted = refused.every(({ code }) => code !== 'validator-failed');
    for (const { stored, code } of refused) {
      const { key, entry } = stored;
      const attempts = entry.attempts + (counted && !UNREADABLE.has(code) ? 1 : 0);
      const kept = attempts < MAX_ATTEMPTS;
      if (kept) {
        await this.#persister.updateIncoming(key, { ...entry, attempts });
      } else {
        await this.#persister.write({ events: [], incomingDone: [key] });
      }
      const { id, position } = entry.message;
      this.#events.emit('incoming-failed', { kind: entry.kind, id, position, code, kept });
    }
  }
}

interface RefusedEntry {
  readonly stored: StoredIncoming;
  readonly code: CoreCryptoErrorCode;
}
