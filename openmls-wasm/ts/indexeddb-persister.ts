/**
 * A client's records in IndexedDB.
 *
 * A transaction commits itself as soon as it has nothing to do, so nothing here awaits anything between opening one and
 * queueing its last request. Each write queues the read of the fencing number first and the puts right behind it, in the
 * same tick: awaiting that read first costs a third of the transaction.
 */

import { CoreCryptoError } from './errors.js';
import { hexOf } from './hex.js';
import { queueEvents } from './indexeddb-batch.js';
import { IndexedDbConnection, type QueueRequests } from './indexeddb-connection.js';
import { FORMER_VAULT_KEY, INCOMING_STORE, META_STORE, QUARANTINE_STORE, VAULT_KEY, WRITER_KEY } from './indexeddb-layout.js';
import type { Category, StorageRecord } from './mls-types.js';
import type { DatabaseOrigin, Persister, PersisterSchema, QuarantinedRecord, QueueEntry, Replacement, StoredIncoming, StoredQuarantine, WriteBatch } from './persister.js';
import type { VaultHeader } from './vault/header.js';

/** Options of the {@link IndexedDbPersister}. */
export interface IndexedDbPersisterOptions {
  /** Name of the database; one per client. */
  readonly name: string;
  /**
   * `strict` (default) asks the browser to flush to the disk before `complete`, `relaxed` does not. It is a request, not
   * a proof: what a power cut leaves is up to the browser and the disk.
   */
  readonly durability?: 'strict' | 'relaxed' | undefined;
}

/** The {@link Persister} of the package. See there for what each method promises. */
export class IndexedDbPersister implements Persister {
  readonly #name: string;
  readonly #connection: IndexedDbConnection;
  #categories: readonly Category[] = [];
  #fence: number | undefined;

  constructor(options: IndexedDbPersisterOptions) {
    this.#name = options.name;
    this.#connection = new IndexedDbConnection(options.name, options.durability ?? 'strict');
  }

  async connect(schema: PersisterSchema): Promise<void> {
    await this.#connection.connect(schema);
    this.#categories = schema.categories;
  }

  async claimWriter(accept: (records: StorageRecord[]) => void): Promise<DatabaseOrigin> {
    const ofClient = this.#categories.filter((category) => category.scope === 'client');
    const categories = ofClient.map((category) => category.name);
    let claimed = 0;
    let origin: DatabaseOrigin = 'restored';
    let refusal: { readonly error: unknown } | undefined;
    try {
      await this.#connection.transact([META_STORE, ...categories], 'readwrite', (transaction) => {
        const found = categories.map((category) => queueLoad(transaction, category, undefined));
        const meta = transaction.objectStore(META_STORE);
        const stored = meta.get(WRITER_KEY);
        // Requests succeed in the order they were queued: when this one does, all records are there.
        stored.onsuccess = () => {
          try {
            accept(found.flatMap((loaded) => this.#records(loaded)));
            origin = stored.result === undefined ? 'created' : 'restored';
            claimed = (typeof stored.result === 'number' ? stored.result : 0) + 1;
            meta.put(claimed, WRITER_KEY);
          } catch (error) {
            refusal = { error };
            transaction.abort();
          }
        };
      });
    } catch (error) {
      throw refusal === undefined ? error : refusal.error;
    }
    this.#fence = claimed;
    return origin;
  }

  load(scope?: Category['scope']): Promise<StorageRecord[]> {
    return this.#loadRange(scope, undefined);
  }

  loadGroup(groupKey: string): Promise<StorageRecord[]> {
    return this.#loadRange('group', rangeOfGroups(groupKey, groupKey));
  }

  loadGroups(first: string, last: string, categories: readonly string[]): Promise<StorageRecord[]> {
    return this.#load([...categories], rangeOfGroups(first, last));
  }

  loadCategory(category: string): Promise<StorageRecord[]> {
    return this.#load([category], undefined);
  }

  loadPart(category: string, after: string | undefined, limit: number): Promise<StorageRecord[]> {
    return this.#load([category], after === undefined ? undefined : IDBKeyRange.lowerBound(after, true), limit);
  }

  async placesOf(_: string, keys: readonly string[]): Promise<readonly string[]> {
    return keys;
  }

  async read(keys: readonly { readonly category: string; readonly key: string }[]): Promise<(Uint8Array | undefined)[]> {
    if (keys.length === 0) {
      return [];
    }
    const requests: IDBRequest<unknown>[] = [];
    await this.#view(storesOf(keys), (transaction) => {
      for (const { category, key } of keys) {
        requests.push(transaction.objectStore(category).get(key));
      }
    });
    return requests.map((request) => (request.result instanceof Uint8Array ? request.result : undefined));
  }

  write(batch: WriteBatch): Promise<void> {
    const stores = storesOf(batch.events);
    if (batch.incomingDone.length > 0) {
      stores.push(INCOMING_STORE);
    }
    return this.#fenced(stores, (transaction) => {
      queueEvents(transaction, batch.events, batch.deletedRanges);
      for (const key of batch.incomingDone) {
        transaction.objectStore(INCOMING_STORE).delete(key);
      }
    });
  }

  async addIncoming(entry: QueueEntry, vaultId?: Uint8Array): Promise<number> {
    let added: IDBRequest<IDBValidKey> | undefined;
    let isOther = false;
    try {
      await this.#connection.transact([META_STORE, INCOMING_STORE], 'readwrite', (transaction) => {
        const stored = transaction.objectStore(META_STORE).get(VAULT_KEY) as IDBRequest<Partial<VaultHeader> | undefined>;
        stored.onsuccess = () => {
          const id = stored.result === undefined ? undefined : (stored.result.id ?? new Uint8Array());
          if (id === undefined ? vaultId === undefined : vaultId !== undefined && hexOf(id) === hexOf(vaultId)) {
            added = transaction.objectStore(INCOMING_STORE).add(entry);
          } else {
            isOther = true;
            transaction.abort();
          }
        };
      });
    } catch (error) {
      throw isOther
        ? new CoreCryptoError('vault-locked', `database "${this.#name}" was sealed meanwhile, or is not any more; nothing was stored`)
        : error;
    }
    return Number(added?.result);
  }

  async listIncoming(): Promise<StoredIncoming<QueueEntry>[]> {
    const queue: { keys?: IDBRequest<IDBValidKey[]>; entries?: IDBRequest<QueueEntry[]> } = {};
    await this.#connection.transact([INCOMING_STORE], 'readonly', (transaction) => {
      const store = transaction.objectStore(INCOMING_STORE);
      queue.keys = store.getAllKeys();
      queue.entries = store.getAll();
    });
    const entries = queue.entries?.result ?? [];
    return (queue.keys?.result ?? []).flatMap((key, index) => {
      const entry = entries[index];
      return entry === undefined ? [] : [{ key: Number(key), entry }];
    });
  }

  updateIncoming(key: number, entry: QueueEntry): Promise<void> {
    return this.#fenced([INCOMING_STORE], (transaction) => {
      transaction.objectStore(INCOMING_STORE).put(entry, key);
    });
  }

  async quarantineGroup(groupKey: string): Promise<number> {
    return this.#quarantine(await this.loadGroup(groupKey));
  }

  async quarantineRecord(category: string, key: string): Promise<number> {
    const [value] = await this.read([{ category, key }]);
    return value === undefined ? 0 : this.#quarantine([{ category, key, value }]);
  }

  async listQuarantine(): Promise<StoredQuarantine[]> {
    const found: { keys?: IDBRequest<IDBValidKey[]>; records?: IDBRequest<QuarantinedRecord[]> } = {};
    await this.#view([QUARANTINE_STORE], (transaction) => {
      const store = transaction.objectStore(QUARANTINE_STORE);
      found.keys = store.getAllKeys();
      found.records = store.getAll();
    });
    const records = found.records?.result ?? [];
    return (found.keys?.result ?? []).flatMap((key, index) => {
      const record = records[index];
      return record === undefined ? [] : [{ id: Number(key), record }];
    });
  }

  updateQuarantine(id: number, record: QuarantinedRecord): Promise<void> {
    return this.#fenced([QUARANTINE_STORE], (transaction) => {
      transaction.objectStore(QUARANTINE_STORE).put(record, id);
    });
  }

  async loadVault(): Promise<unknown> {
    let stored: IDBRequest<unknown> | undefined;
    await this.#view([], (transaction) => {
      stored = transaction.objectStore(META_STORE).get(VAULT_KEY);
    });
    return stored?.result;
  }

  async createVault(header: VaultHeader): Promise<boolean> {
    let created = false;
    let refusal: { readonly error: unknown } | undefined;
    try {
      await this.#connection.transact([META_STORE], 'readwrite', (transaction) => {
        const meta = transaction.objectStore(META_STORE);
        const writer = meta.get(WRITER_KEY);
        const vault = meta.getKey(VAULT_KEY);
        vault.onsuccess = () => {
          try {
            if (writer.result === undefined && vault.result === undefined) {
              meta.put(header, VAULT_KEY);
              created = true;
            }
          } catch (error) {
            // A browser that cannot keep a CryptoKey.
            refusal = { error };
            transaction.abort();
          }
        };
      });
    } catch (error) {
      throw refusal === undefined ? error : refusal.error;
    }
    return created;
  }

  updateVault(header: VaultHeader | null, former?: VaultHeader): Promise<void> {
    return this.#fenced([], (transaction) => {
      const meta = transaction.objectStore(META_STORE);
      if (header === null) {
        meta.delete(VAULT_KEY);
      } else {
        meta.put(header, VAULT_KEY);
      }
      if (former !== undefined) {
        meta.put(former, FORMER_VAULT_KEY);
      }
    });
  }

  replace(category: string, replacements: readonly Replacement[]): Promise<void> {
    return this.#fenced([category], (transaction) => {
      const store = transaction.objectStore(category);
      for (const { from, to, value } of replacements) {
        if (from !== to) {
          store.delete(from);
        }
        store.put(value, to);
      }
    });
  }

  onReconnect(listener: () => void): void {
    this.#connection.onReconnect = listener;
  }

  close(): void {
    this.#connection.close();
  }

  /** A write that counts only while the fencing number is ours. */
  async #fenced(stores: string[], queue: QueueRequests): Promise<void> {
    const fence = this.#fence;
    if (fence === undefined) {
      throw this.#connection.notConnected('was not claimed by this client, which cannot write to it');
    }
    let overtaken = false;
    try {
      await this.#connection.transact([META_STORE, ...stores], 'readwrite', (transaction) => {
        const stored = transaction.objectStore(META_STORE).get(WRITER_KEY);
        stored.onsuccess = () => {
          if (stored.result === fence) {
            // All requests are queued by now; this spares the wait for the event of the last one.
            transaction.commit();
          } else {
            overtaken = true;
            transaction.abort();
          }
        };
        queue(transaction);
      });
    } catch (error) {
      throw overtaken ? this.#writerLost(error) : error;
    }
  }

  /** Nobody else writes between the reading of `records` and this: the fencing number was ours, and is. */
  async #quarantine(records: readonly StorageRecord[]): Promise<number> {
    // A database that cannot be opened as it is has no writer yet.
    if (this.#fence === undefined) {
      await this.claimWriter(() => undefined);
    }
    await this.#fenced([QUARANTINE_STORE, ...storesOf(records)], (transaction) => {
      const quarantine = transaction.objectStore(QUARANTINE_STORE);
      for (const record of records) {
        quarantine.add({ ...record, quarantinedAt: Date.now() } satisfies QuarantinedRecord);
        transaction.objectStore(record.category).delete(record.key);
      }
    });
    return records.length;
  }

  /** A consistent view; once we are the writer, one that counts only while the fencing number is ours. */
  async #view(stores: string[], queue: QueueRequests): Promise<void> {
    let stored: IDBRequest<unknown> | undefined;
    await this.#connection.transact([META_STORE, ...stores], 'readonly', (transaction) => {
      stored = transaction.objectStore(META_STORE).get(WRITER_KEY);
      queue(transaction);
    });
    if (this.#fence !== undefined && stored?.result !== this.#fence) {
      throw this.#writerLost(undefined);
    }
  }

  #loadRange(scope: Category['scope'] | undefined, range: IDBKeyRange | undefined): Promise<StorageRecord[]> {
    const categories = this.#categories.filter((category) => scope === undefined || category.scope === scope);
    return this.#load(
      categories.map((category) => category.name),
      range,
    );
  }

  async #load(categories: string[], range: IDBKeyRange | undefined, limit?: number): Promise<StorageRecord[]> {
    if (categories.length === 0) {
      return [];
    }
    let found: QueuedLoad[] = [];
    await this.#view(categories, (transaction) => {
      found = categories.map((category) => queueLoad(transaction, category, range, limit));
    });
    return found.flatMap((loaded) => this.#records(loaded));
  }

  #records({ category, keys, values }: QueuedLoad): StorageRecord[] {
    return keys.result.map((key, index) => this.#record(category, key, values.result[index]));
  }

  #record(category: string, key: IDBValidKey, value: unknown): StorageRecord {
    if (typeof key !== 'string' || !(value instanceof Uint8Array)) {
      throw new CoreCryptoError(
        'damaged-record',
        `database "${this.#name}": record ${category}/${String(key)} is not one of openmls-wasm; all is left as it is`,
        { category, key: String(key) },
      );
    }
    return { category, key, value };
  }

  #writerLost(cause: unknown): CoreCryptoError {
    return new CoreCryptoError(
      'writer-lost',
      `another client has taken over database "${this.#name}"; nothing was written, open a new client to go on`,
      { cause },
    );
  }
}

/** '0' is the character after '/', so this is a group's own key and all keys below it, and those between. */
function rangeOfGroups(first: string, last: string): IDBKeyRange {
  return IDBKeyRange.bound(first, `${last}0`, false, true);
}

/** The requests for what one object store holds. */
interface QueuedLoad {
  readonly category: string;
  readonly keys: IDBRequest<IDBValidKey[]>;
  readonly values: IDBRequest<unknown[]>;
}

function queueLoad(
  transaction: IDBTransaction,
  category: string,
  range: IDBKeyRange | undefined,
  limit?: number,
): QueuedLoad {
  const store = transaction.objectStore(category);
  return { category, keys: store.getAllKeys(range, limit), values: store.getAll(range, limit) };
}

/** The object stores that `items` are in, each once. */
function storesOf(items: readonly { readonly category: string }[]): string[] {
  return [...new Set(items.map((item) => item.category))];
}
