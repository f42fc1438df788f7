/**
 * Brings into memory what an operation lacks: the records of a group, or of a category that is loaded on demand.
 *
 * At opening only the client's own records are loaded, so that opening costs the same however many groups there are (promise
 * G9). An operation that needs more says so and has changed nothing; it is made again with the page there. A group is read in
 * one transaction: it is never seen half before and half after a batch.
 */

import type { Engine } from './engine.js';
import type { CoreCryptoEvents, Emitter } from './events.js';
import type { Page } from './mls-types.js';
import { PersisterError, type ClientDatabase } from './persister.js';
import { Backoff, type RetryPolicy } from './retry.js';

// How much groups may take in memory by default, in bytes of records: a group in use takes about as much again.
export const DEFAULT_MEMORY_LIMIT = 32 * 1024 * 1024;

// See the module's documentation.
export class PageLoader {
  readonly #persister: ClientDatabase;
  readonly #backoff: Backoff;
  readonly #memoryLimit: number;
  readonly #events: Emitter<CoreCryptoEvents>;
  #ending = false;

  constructor(persister: ClientDatabase, retry: RetryPolicy, memoryLimit: number, events: Emitter<CoreCryptoEvents>) {
    this.#persister = persister;
    this.#events = events;
    this.#backoff = new Backoff(retry);
    this.#memoryLimit = memoryLimit;
  }

  /**
   * Loads a page into an engine, if that is still the one in use when it has been read. Nothing leaves memory for it: an
   * operation may need several.
   * @throws what the persister throws when it has been asked often enough, and what the engine throws
   */
  async load(engine: Engine, page: Page, isInUse: () => boolean): Promise<void> {
    const records = await this.#read(page);
    if (isInUse()) {
      engine.client.hydratePage(page, records);
    }
  }

  // Lets go of groups that were not used for long, if all of them take too much.
  trim(engine: Engine): void {
    engine.client.releaseGroups(this.#memoryLimit);
  }

  // Ends a wait between two attempts; from now on there is only one.
  endWaiting(): void {
    this.#ending = true;
    this.wake();
  }

  // Ends a wait between two attempts.
  wake(): void {
    this.#backoff.wake();
  }

  async #read(page: Page): ReturnType<ClientDatabase['loadGroup']> {
    for (;;) {
      try {
        const records =
          'group' in page ? await this.#persister.loadGroup(page.group) : await this.#persister.loadCategory(page.category);
        this.#backoff.succeeded(this.#events);
        return records;
      } catch (error) {
        if (!(error instanceof PersisterError)) {
          this.#backoff.reset();
          throw error;
        }
        const retryInMs = this.#backoff.failed();
        const waited = this.#backoff.reportAndWait(this.#events, error, this.#ending ? undefined : retryInMs);
        if (waited === undefined) {
          this.#backoff.reset();
          throw error;
        }
        await waited;
      }
    }
  }
}
