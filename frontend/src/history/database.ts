import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from 'idb';
import type { ChatLine, Conversation, Intention } from './types.ts';

export interface HistorySchema extends DBSchema {
  conversations: { key: string; value: Conversation };
  lines: { key: string; value: ChatLine; indexes: { 'by-order': [string, number] } };
  intentions: { key: string; value: Intention };
}

export type HistoryDatabase = IDBPDatabase<HistorySchema>;
type Store = 'conversations' | 'lines' | 'intentions';
export type HistoryTransaction = IDBPTransaction<HistorySchema, Store[], 'readwrite'>;

export const allStores: Store[] = ['conversations', 'lines', 'intentions'];

/** Bump for every change of the schema, with a step in `upgrade`. A newer database refuses to open: nothing is lost. */
const version = 1;

/**
 * Opens the history.
 * @param again it was open before: an empty one in its place would hide that the browser has evicted it
 * @param closed called when the browser closes the connection; the next request needs another
 */
export function openHistoryDatabase(name: string, again: boolean, closed: () => void): Promise<HistoryDatabase> {
  return openDB<HistorySchema>(name, version, {
    upgrade(database, oldVersion, _newVersion, transaction) {
      if (again && oldVersion < 1) {
        transaction.done.catch(() => undefined); // Told by the rejection of openDB.
        transaction.abort();
        return;
      }
      if (oldVersion < 1) {
        database.createObjectStore('conversations', { keyPath: 'id' });
        const lines = database.createObjectStore('lines', { keyPath: 'id' });
        lines.createIndex('by-order', ['conversation', 'order'], { unique: true });
        database.createObjectStore('intentions', { keyPath: 'id' });
      }
    },
    terminated: closed,
  });
}
