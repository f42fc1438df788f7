/**
 * Brings into memory what an operation lacks: the records of a group, of a category that is loaded on demand, or a single one.
 *
 * At opening only the client's own records are loaded, so that opening costs the same however many groups there are (promise
 * G9). An operation that needs more says so and has changed nothing; it is made again with the page there. A group is read in
 * one transaction: it is never seen half before and half after a batch.
 */

import { missingPage, pageName } from './calls.js';
import type { Engine } from './engine.js';
import { CoreCryptoError, isMlsError, type MlsError } from './errors.js';
import type { CoreCryptoEvents, Emitter } from './events.js';
import type { Page, StorageRecord } from './mls-types.js';
import { PersisterError, type ClientDatabase } from './persister.js';
import { Backoff, type RetryPolicy } from './retry.js';

// How much groups may take in memory by default, in bytes of records: a group in use takes about as much again.
export const DEFAULT_MEMORY_LIMIT = 32 * 1024 * 1024;

/** The store of the tree whose leaves have the digests of groups. */
const DIGEST_NODE = 'digest_node';

// See the module's documentation.
export class PageLoader {
  readonly #persister: ClientDatabase;
  readonly #backoff: Backoff;
  readonly #memoryLimit: number;
  readonly #events: Emitter<CoreCryptoEvents>;
  readonly #quarantines: boolean;
  #ending = false;

  /** @param quarantines whether a damaged record of an on-demand category is put aside, so that the others can be used */
  constructor(
    persister: ClientDatabase,
    retry: RetryPolicy,
    memoryLimit: number,
    events: Emitter<CoreCryptoEvents>,
    quarantines: boolean = false,
  ) {
    this.#quarantines = quarantines;
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
    const loaded = new Set<string>();
    let isSecondTry = false;
    const nodes = this.#readNodes('group' in page ? engine.client.nodesToLoad(page.group) : []);
    for (;;) {
      try {
        const [records, found] = [await this.#read(page), await nodes];
        // Nothing is waited for from here on: another engine may be in use after that.
        if (isInUse()) {
          hydrateNodes(engine, found);
          engine.client.hydratePage(page, records);
        }
        return;
      } catch (error) {
        if (await this.#putAside(page, error)) {
          continue;
        }
        if ('category' in page && page.key !== undefined && isDamage(error) && isInUse()) {
          // A node of the root over the digests: without it the groups that it names are damaged, and it is begun anew. So it is
          // read once more: opening what is sealed may fail for want of memory.
          if (isSecondTry) {
            engine.client.hydratePage(page, []);
            return;
          }
          isSecondTry = true;
          continue;
        }
        // Whether a group is as it was left, a record says that may not be in memory itself.
        const missing = missingPage(error);
        if (missing === undefined) {
          throw error;
        }
        if (loaded.has(pageName(missing))) {
          throw new CoreCryptoError('internal', 'what a page needs was loaded and is not there; the call has had no effect', { cause: error });
        }
        loaded.add(pageName(missing));
        await this.load(engine, missing, isInUse);
      }
    }
  }

  /** Whether a record that cannot be read was put aside: then the page can be read again, with one record less. */
  async #putAside(page: Page, error: unknown): Promise<boolean> {
    if (!this.#quarantines || !isDamage(error) || 'group' in page || page.key !== undefined || error.key === undefined) {
      return false;
    }
    const { category } = page;
    const { key } = error;
    if ((await this.#persister.quarantineRecord(category, key)) === 0) {
      return false;
    }
    this.#events.emit('quarantined', { category, key });
    return true;
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

  async #read(page: Page): Promise<StorageRecord[]> {
    for (;;) {
      try {
        const records = await this.#readOnce(page);
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

  /** Nodes of the root over the digests, each with its record if there is one. Those that cannot be read are asked for later. */
  async #readNodes(keys: readonly string[]): Promise<readonly Node[]> {
    const nodes = keys.map((key) => ({ category: DIGEST_NODE, key }));
    try {
      const values = await this.#persister.read(nodes);
      return nodes.map((node, index) => ({ ...node, value: values[index] }));
    } catch {
      return [];
    }
  }

  async #readOnce(page: Page): Promise<StorageRecord[]> {
    if ('group' in page) {
      return this.#persister.loadGroup(page.group);
    }
    const { category, key } = page;
    if (key === undefined) {
      return this.#persister.loadCategory(category);
    }
    const [value] = await this.#persister.read([{ category, key }]);
    return value === undefined ? [] : [{ category, key, value }];
  }
}

interface Node {
  readonly category: string;
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** One that is damaged is left out, or that is in memory with something newer: the engine asks for what it lacks, and is told then. */
function hydrateNodes(engine: Engine, nodes: readonly Node[]): void {
  for (const { category, key, value } of nodes) {
    try {
      engine.client.hydratePage({ category, key }, value === undefined ? [] : [{ category, key, value }]);
    } catch (error) {
      if (!isDamage(error)) {
        throw error;
      }
    }
  }
}

/** Whether a record cannot be read: what the vault says of it, or what the engine does. */
function isDamage(error: unknown): error is (CoreCryptoError | MlsError) & { readonly key?: string | undefined } {
  return error instanceof CoreCryptoError ? error.code === 'damaged-record' : isMlsError(error) && error.key !== undefined;
}
