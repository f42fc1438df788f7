import type { HistoryRecordTypes, StoreName } from './database.ts';
import type { ChatLine } from './types.ts';

/** What one change of the history reads and writes. All of it is done, or nothing. */
export interface HistoryRecords {
  get<Store extends StoreName>(store: Store, id: string): Promise<HistoryRecordTypes[Store] | undefined>;
  all<Store extends StoreName>(store: Store): Promise<HistoryRecordTypes[Store][]>;
  put<Store extends StoreName>(store: Store, record: HistoryRecordTypes[Store]): Promise<void>;
  delete(store: StoreName, id: string): Promise<void>;
}

/** A part of a store. */
export interface StorePage<Store extends StoreName> {
  records: HistoryRecordTypes[Store][];
  /** How many beside these could not be read. */
  damaged: number;
  /** What `after` is to be for the next part; undefined if this is the last. */
  next: string | undefined;
}

/** Where the history is kept: in the clear, or sealed. */
export interface HistoryStore {
  get<Store extends StoreName>(store: Store, id: string): Promise<HistoryRecordTypes[Store] | undefined>;
  all<Store extends StoreName>(store: Store): Promise<HistoryRecordTypes[Store][]>;
  /** Records in the order of their keys, from behind `after` on, at most `limit` at once. */
  page<Store extends StoreName>(store: Store, after: string | undefined, limit: number): Promise<StorePage<Store>>;
  /** The last `limit` lines in order of arrival, and whether there are earlier ones. */
  lines(conversation: string, limit: number): Promise<{ lines: ChatLine[]; more: boolean }>;
  /** Does `work` in one transaction and settles when that is committed. `work` may be called more than once. */
  change<T>(work: (records: HistoryRecords) => Promise<T>): Promise<T>;
  /** What stands for a conversation that was read before, where its group id must not be seen. */
  nameOutside(conversation: string): string;
}
