import { inTransaction, reading, type HistoryConnection } from './connection.ts';
import type { HistoryRecordTypes, HistoryTransaction, StoreName } from './database.ts';
import type { HistoryRecords, HistoryStore, StorePage } from './store.ts';
import type { ChatLine } from './types.ts';

/** The history in the clear: each change is one IndexedDB transaction that reads and writes. For development. */
export class PlainStore implements HistoryStore {
  constructor(private readonly connection: HistoryConnection) {}

  get<Store extends StoreName>(store: Store, id: string): Promise<HistoryRecordTypes[Store] | undefined> {
    return this.connection.use(async (database) => {
      const record = await reading(database.transaction(store)).store.get(id);
      return record as HistoryRecordTypes[Store] | undefined;
    });
  }

  all<Store extends StoreName>(store: Store): Promise<HistoryRecordTypes[Store][]> {
    return this.connection.use(async (database) => {
      const records = await reading(database.transaction(store)).store.getAll();
      return records as unknown as HistoryRecordTypes[Store][];
    });
  }

  page<Store extends StoreName>(store: Store, after: string | undefined, limit: number): Promise<StorePage<Store>> {
    return this.connection.use(async (database) => {
      const range = after === undefined ? undefined : IDBKeyRange.lowerBound(after, true);
      const records = (await reading(database.transaction(store)).store.getAll(range, limit)) as unknown as HistoryRecordTypes[Store][];
      return { records, damaged: 0, next: records.length < limit ? undefined : records.at(-1)?.id };
    });
  }

  lines(conversation: string, limit: number): Promise<{ lines: ChatLine[]; more: boolean }> {
    return this.connection.use(async (database) => {
      const lines: ChatLine[] = [];
      const range = IDBKeyRange.bound([conversation, 0], [conversation, Infinity]);
      const tx = reading(database.transaction('lines'));
      let cursor = await tx.store.index('by-order').openCursor(range, 'prev');
      while (cursor !== null && lines.length < limit) {
        lines.push(cursor.value as ChatLine);
        cursor = await cursor.continue();
      }
      return { lines: lines.reverse(), more: cursor !== null };
    });
  }

  change<T>(work: (records: HistoryRecords) => Promise<T>): Promise<T> {
    return this.connection.use((database) => inTransaction(database, (tx) => work(recordsOf(tx))));
  }

  nameOutside(conversation: string): string {
    return conversation;
  }
}

function recordsOf(tx: HistoryTransaction): HistoryRecords {
  return {
    get: async <Store extends StoreName>(store: Store, id: string) =>
      (await tx.objectStore(store).get(id)) as HistoryRecordTypes[Store] | undefined,
    all: async <Store extends StoreName>(store: Store) =>
      (await tx.objectStore(store).getAll()) as unknown as HistoryRecordTypes[Store][],
    put: async (store, record) => void (await tx.objectStore(store).put(record)),
    delete: (store, id) => tx.objectStore(store).delete(id),
  };
}
