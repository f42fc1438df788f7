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

export function openHistoryDatabase(name: string): Promise<HistoryDatabase> {
  return openDB<HistorySchema>(name, version, {
    upgrade(database, oldVersion) {
      if (oldVersion < 1) {
        database.createObjectStore('conversations', { keyPath: 'id' });
        const lines = database.createObjectStore('lines', { keyPath: 'id' });
        lines.createIndex('by-order', ['conversation', 'order'], { unique: true });
        database.createObjectStore('intentions', { keyPath: 'id' });
      }
    },
  });
}
