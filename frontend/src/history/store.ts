import type { HistoryRecordTypes, StoreName } from './database.ts';
import type { ChatLine } from './types.ts';

/** What one change of the history reads and writes. All of it is done, or nothing. */
export interface HistoryRecords {
  get<Store extends StoreName>(store: Store, id: string): Promise<HistoryRecordTypes[Store] | undefined>;
  all<Store extends StoreName>(store: Store): Promise<HistoryRecordTypes[Store][]>;
  put<Store extends StoreName>(store: Store, record: HistoryRecordTypes[Store]): Promise<void>;
  delete(store: StoreName, id: string): Promise<void>;
}

/** Where the history is kept: in the clear, or sealed. */
export interface HistoryStore {
  get<Store extends StoreName>(store: Store, id: string): Promise<HistoryRecordTypes[Store] | undefined>;
  all<Store extends StoreName>(store: Store): Promise<HistoryRecordTypes[Store][]>;
  /** The last `limit` lines in order of arrival, and whether there are earlier ones. */
  lines(conversation: string, limit: number): Promise<{ lines: ChatLine[]; more: boolean }>;
  /** Does `work` in one transaction and settles when that is committed. `work` may be called more than once. */
  change<T>(work: (records: HistoryRecords) => Promise<T>): Promise<T>;
  /** What stands for a conversation that was read before, where its group id must not be seen. */
  nameOutside(conversation: string): string;
}
