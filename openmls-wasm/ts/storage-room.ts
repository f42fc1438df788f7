/**
 * How much room there is, and whether the browser may take the database away.
 *
 * A full disk makes writes fail, and a failed write is repeated and reported; but the user who hears of it before can still do
 * something about it. So the quota is looked at now and then, after writes: there is no event for it. (Chromium tells
 * no site how much room there truly is: there, the first that is heard of a full disk may be a failed write.)
 */

import type { CoreCryptoEvents, Emitter } from './events.js';

/** What the browser says of the storage of this origin, all databases and caches of the site together. */
export interface StorageRoom {
  /** Bytes in use; an estimate. */
  readonly usage: number;
  /** Bytes that may be in use; an estimate. */
  readonly quota: number;
  /** Whether the browser has promised not to evict it under pressure. The user may still clear it. */
  readonly persisted: boolean;
}

/** What the browser says of the storage of this origin; undefined if it says nothing. */
export async function storageRoom(): Promise<StorageRoom | undefined> {
  const { storage } = navigator;
  try {
    const [{ usage, quota }, persisted] = await Promise.all([storage.estimate(), storage.persisted()]);
    return usage === undefined || quota === undefined ? undefined : { usage, quota, persisted };
  } catch {
    return undefined;
  }
}

/**
 * Asks the browser not to evict this origin. To be called on the page, not in a worker, when the user has something to lose:
 * after an identity was made, from a click. Some browsers ask the user, others decide by how the site is used.
 * @returns its answer; undefined if it cannot be asked
 */
export async function requestPersistence(): Promise<boolean | undefined> {
  try {
    return await navigator.storage.persist();
  } catch {
    return undefined;
  }
}

/** How many transactions between two looks. */
const WRITES = 64;
/** Less room than this is little. */
const LITTLE = 64 * 1024 * 1024;

// Emits `storage-low` once when room becomes little, and again only after there was enough in between.
export class RoomWatch {
  readonly #events: Emitter<CoreCryptoEvents>;
  readonly #end: () => void;
  #writes = 0;
  #isLow = false;

  constructor(events: Emitter<CoreCryptoEvents>) {
    this.#events = events;
    this.#end = events.on('saved', () => {
      // The first one too: there may be little from the beginning.
      if (this.#writes % WRITES === 0) {
        void this.#look();
      }
      this.#writes += 1;
    });
  }

  end(): void {
    this.#end();
  }

  async #look(): Promise<void> {
    const room = await storageRoom();
    if (room === undefined) {
      return;
    }
    const isLow = room.quota - room.usage < Math.min(LITTLE, room.quota / 10);
    if (isLow && !this.#isLow) {
      this.#events.emit('storage-low', room);
    }
    this.#isLow = isLow;
  }
}
