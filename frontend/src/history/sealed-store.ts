import { reading, type HistoryConnection } from './connection.ts';
import type { HistoryRecordTypes, SealedRecord, StoreName } from './database.ts';
import { Draft, notSealed } from './draft.ts';
import { isSealedRecord, type HistorySealer } from './sealer.ts';
import type { HistoryRecords, HistoryStore, StorePage } from './store.ts';
import type { ChatLine } from './types.ts';

/** The history sealed by the vault of the crypto client. */
export class SealedStore implements HistoryStore {
  /** Changes, one after the other: each would otherwise find that another one has changed what it rests on. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly connection: HistoryConnection,
    private readonly sealer: HistorySealer,
  ) {}

  async get<Store extends StoreName>(store: Store, id: string): Promise<HistoryRecordTypes[Store] | undefined> {
    const key = await this.sealer.blind(store, id);
    const record = await this.connection.use((database) => reading(database.transaction(store)).store.get(key));
    return record === undefined ? undefined : this.opened(store, record);
  }

  async all<Store extends StoreName>(store: Store): Promise<HistoryRecordTypes[Store][]> {
    const records = await this.connection.use((database) => reading(database.transaction(store)).store.getAll());
    return Promise.all(records.map((record) => this.opened(store, record)));
  }

  async page<Store extends StoreName>(store: Store, after: string | undefined, limit: number): Promise<StorePage<Store>> {
    const range = after === undefined ? undefined : IDBKeyRange.lowerBound(after, true);
    const found = await this.connection.use((database) => reading(database.transaction(store)).store.getAll(range, limit));
    const opened = await Promise.all(found.map((record) => this.unlessDamaged(store, record)));
    const records = opened.filter((record) => record !== undefined);
    return { records, damaged: found.length - records.length, next: found.length < limit ? undefined : found.at(-1)?.id };
  }

  async lines(conversation: string, limit: number): Promise<{ lines: ChatLine[]; more: boolean }> {
    const key = await this.sealer.blind('conversations', conversation);
    const { found, more } = await this.connection.use(async (database) => {
      const found: SealedRecord[] = [];
      const tx = reading(database.transaction('lines'));
      let cursor = await tx.store.index('by-order').openCursor(IDBKeyRange.bound([key, 0], [key, Infinity]), 'prev');
      while (cursor !== null && found.length < limit) {
        if (!isSealedRecord(cursor.value)) throw notSealed();
        found.push(cursor.value);
        cursor = await cursor.continue();
      }
      return { found: found.reverse(), more: cursor !== null };
    });
    const lines = await Promise.all(found.map((record) => this.unlessDamaged('lines', record)));
    return { lines: lines.map((line, index) => line ?? damagedLine(conversation, found, lines, index)), more };
  }

  change<T>(work: (records: HistoryRecords) => Promise<T>): Promise<T> {
    const changed = this.last.then(() =>
      this.connection.use(async (database) => {
        for (;;) {
          const draft = new Draft(database, this.sealer);
          const result = await work(draft);
          if (await draft.commit()) return result;
        }
      }),
    );
    this.last = changed.catch(() => undefined);
    return changed;
  }

  nameOutside(conversation: string): string {
    return this.sealer.blindedConversation(conversation) ?? '';
  }

  private opened<Store extends StoreName>(store: Store, record: object): Promise<HistoryRecordTypes[Store]> {
    if (!isSealedRecord(record)) throw notSealed();
    return this.sealer.open(store, record);
  }

  /** One line that does not open must not take the others from the screen. Undefined, unless the vault is locked. */
  private async unlessDamaged<Store extends StoreName>(store: Store, record: object): Promise<HistoryRecordTypes[Store] | undefined> {
    try {
      return await this.opened(store, record);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'damaged-record') throw error;
      return undefined;
    }
  }
}

/** What is shown in the place of a line that does not open: where it stands is known, by its neighbours. */
function damagedLine(conversation: string, found: readonly SealedRecord[], lines: readonly (ChatLine | undefined)[], index: number): ChatLine {
  const before = lines.slice(0, index).findLast((line) => line !== undefined);
  const neighbour = before ?? lines.slice(index).find((line) => line !== undefined);
  return {
    id: found[index]?.id ?? '',
    conversation,
    order: found[index]?.order ?? 0,
    after: neighbour?.position ?? neighbour?.after ?? 0,
    at: neighbour?.at ?? 0,
    kind: 'event',
    event: { type: 'unreadable', code: 'damaged-record' },
  };
}
