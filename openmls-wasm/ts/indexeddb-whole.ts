/** Databases as a whole: is there one, is there something in it, put another one in its place. */

import { FORMAT_KEY, META_STORE, openDatabase, RESTORED_FROM_KEY, RESTORING_KEY, unavailable, VAULT_KEY, WRITER_KEY } from './indexeddb-layout.js';
import { PersisterError, type PersisterSchema } from './persister.js';

// Records that are copied in one transaction.
const PAGE = 256;

// A database, for as long as `use` takes.
export async function withDatabase<T>(name: string, schema: PersisterSchema, use: (database: IDBDatabase) => Promise<T>): Promise<T> {
  const database = await openDatabase(name, { ...schema, evenIfRestoring: true }, schema.mustExist === true ? 'fail' : 'create');
  database.onversionchange = () => database.close();
  try {
    return await use(database);
  } finally {
    database.close();
  }
}

// Whether it holds a client, or something that has arrived for one.
export async function isEmpty(database: IDBDatabase): Promise<boolean> {
  const stores = [...database.objectStoreNames].filter((store) => store !== META_STORE);
  let counts: IDBRequest<number>[] = [];
  await transact(database, stores, 'readonly', (transaction) => {
    counts = stores.map((store) => transaction.objectStore(store).count());
  });
  return counts.every((count) => count.result === 0);
}

// Whether it is being restored.
export async function isRestoring(database: IDBDatabase): Promise<boolean> {
  let found: IDBRequest<unknown> | undefined;
  await transact(database, [META_STORE], 'readonly', (transaction) => {
    found = transaction.objectStore(META_STORE).get(RESTORING_KEY);
  });
  return found?.result !== undefined;
}

// Which file it was restored from, if it was from one.
export async function restoredFrom(database: IDBDatabase): Promise<unknown> {
  let found: IDBRequest<unknown> | undefined;
  await transact(database, [META_STORE], 'readonly', (transaction) => {
    found = transaction.objectStore(META_STORE).get(RESTORED_FROM_KEY);
  });
  return found?.result;
}

// Notes that it is being restored, or with `false` that it is whole, and from which file it came.
export function noteRestoring(database: IDBDatabase, restoring: boolean, source?: string): Promise<void> {
  return transact(database, [META_STORE], 'readwrite', (transaction) => {
    const meta = transaction.objectStore(META_STORE);
    if (restoring) {
      meta.put(true, RESTORING_KEY);
    } else {
      meta.delete(RESTORING_KEY);
      meta.put(source, RESTORED_FROM_KEY);
    }
  });
}

// Puts what `from` holds in the place of what `to` holds. Until the last step, `to` says that it is being restored.
export async function replaceContent(from: IDBDatabase, to: IDBDatabase): Promise<void> {
  const stores = [...to.objectStoreNames].filter((store) => store !== META_STORE);
  await transact(to, [META_STORE, ...stores], 'readwrite', (transaction) => {
    stores.forEach((store) => transaction.objectStore(store).clear());
    const meta = transaction.objectStore(META_STORE);
    meta.put(true, RESTORING_KEY);
    meta.delete(VAULT_KEY);
    // A frozen writer that wakes up must not write into the new database (promise G4).
    const writer = meta.get(WRITER_KEY);
    writer.onsuccess = () => meta.put(Number(writer.result ?? 0) + 1, WRITER_KEY);
  });
  for (const store of stores.filter((name) => from.objectStoreNames.contains(name))) {
    await copy(from, to, store);
  }
  let vault: IDBRequest<unknown> | undefined;
  let format: IDBRequest<unknown> | undefined;
  let source: IDBRequest<unknown> | undefined;
  await transact(from, [META_STORE], 'readonly', (transaction) => {
    vault = transaction.objectStore(META_STORE).get(VAULT_KEY);
    format = transaction.objectStore(META_STORE).get(FORMAT_KEY);
    source = transaction.objectStore(META_STORE).get(RESTORED_FROM_KEY);
  });
  await transact(to, [META_STORE], 'readwrite', (transaction) => {
    const meta = transaction.objectStore(META_STORE);
    meta.put(format?.result, FORMAT_KEY);
    if (vault?.result !== undefined) {
      meta.put(vault.result, VAULT_KEY);
    }
    meta.put(source?.result, RESTORED_FROM_KEY);
    meta.delete(RESTORING_KEY);
  });
}

// Deletes a database; it is no error if there is none. Waits for connections that are on their way out.
export function deleteDatabase(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(unavailable(name, request.error));
  });
}

async function copy(from: IDBDatabase, to: IDBDatabase, store: string): Promise<void> {
  for (let after: IDBValidKey | undefined; ; ) {
    const range = after === undefined ? undefined : IDBKeyRange.lowerBound(after, true);
    let keys: IDBRequest<IDBValidKey[]> | undefined;
    let values: IDBRequest<unknown[]> | undefined;
    await transact(from, [store], 'readonly', (transaction) => {
      keys = transaction.objectStore(store).getAllKeys(range, PAGE);
      values = transaction.objectStore(store).getAll(range, PAGE);
    });
    const [found, content] = [keys?.result ?? [], values?.result ?? []];
    await transact(to, [store], 'readwrite', (transaction) => {
      found.forEach((key, index) => transaction.objectStore(store).put(content[index], key));
    });
    if (found.length < PAGE) {
      return;
    }
    after = found.at(-1);
  }
}

function transact(
  database: IDBDatabase,
  stores: readonly string[],
  mode: 'readonly' | 'readwrite',
  queue: (transaction: IDBTransaction) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown): void => {
      const full = error instanceof DOMException && error.name === 'QuotaExceededError';
      const what = `a transaction on database "${database.name}" failed: ${error instanceof Error ? error.message : 'it was aborted'}`;
      reject(new PersisterError(full ? 'quota-exceeded' : 'aborted', 'not-committed', what, error));
    };
    try {
      const transaction = database.transaction(stores, mode, { durability: 'strict' });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => failed(transaction.error);
      queue(transaction);
    } catch (error) {
      failed(error);
    }
  });
}
