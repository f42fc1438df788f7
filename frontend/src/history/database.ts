import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from 'idb';
import type { ChatLine, Conversation, Intention } from './types.ts';

/** The records of each store, as the app knows them. */
export interface HistoryRecordTypes {
  conversations: Conversation;
  lines: ChatLine;
  intentions: Intention;
}

export type StoreName = keyof HistoryRecordTypes;

/** A record that is sealed: its key is blinded, and of a line what the index needs is beside it. */
export interface SealedRecord {
  id: string;
  sealed: Uint8Array;
  conversation?: string;
  order?: number;
}

/** That this history is sealed, and what its keys are blinded with: sealed itself. */
export interface SealNote {
  /** `sealing`: there may be records in the clear yet. */
  state: 'sealing' | 'sealed';
  blinding: Uint8Array;
}

export interface HistorySchema extends DBSchema {
  conversations: { key: string; value: Conversation | SealedRecord };
  lines: { key: string; value: ChatLine | SealedRecord; indexes: { 'by-order': [string, number] } };
  intentions: { key: string; value: Intention | SealedRecord };
  meta: { key: 'seal'; value: SealNote };
}

export type HistoryDatabase = IDBPDatabase<HistorySchema>;
export type HistoryTransaction = IDBPTransaction<HistorySchema, (StoreName | 'meta')[], 'readwrite'>;

export const allStores: StoreName[] = ['conversations', 'lines', 'intentions'];

/** Bump for every change of the schema, with a step in `upgrade`. A newer database refuses to open: nothing is lost. */
const version = 2;

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
      // Whether the history is sealed.
      if (oldVersion < 2) database.createObjectStore('meta');
    },
    terminated: closed,
  });
}
