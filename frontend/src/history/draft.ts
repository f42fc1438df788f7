import { inTransaction, reading } from './connection.ts';
import type { HistoryDatabase, HistoryRecordTypes, SealedRecord, StoreName } from './database.ts';
import { isSealedRecord, type HistorySealer } from './sealer.ts';
import type { HistoryRecords } from './store.ts';

interface Seen {
  store: StoreName;
  key: string;
  record: SealedRecord | undefined;
}

interface Written {
  store: StoreName;
  id: string;
  /** Undefined: deleted. */
  record: HistoryRecordTypes[StoreName] | undefined;
}

const changedMeanwhile = Symbol('changed meanwhile');

/**
 * One change of a sealed history. WebCrypto cannot be awaited inside an IndexedDB transaction, which would end: so records
 * are read and opened first, the changed ones sealed, and then written in one transaction, which looks first whether all
 * that was read is still there as it was. Otherwise nothing is written, and the change is made anew on what is there now.
 * (Another tab can be at it: one that was frozen and has not noticed yet that it was replaced.)
 */
export class Draft implements HistoryRecords {
  private readonly seen = new Map<string, Seen>();
  private readonly written = new Map<string, Written>();

  constructor(
    private readonly database: HistoryDatabase,
    private readonly sealer: HistorySealer,
  ) {}

  async get<Store extends StoreName>(store: Store, id: string): Promise<HistoryRecordTypes[Store] | undefined> {
    const written = this.written.get(nameOf(store, id));
    if (written !== undefined) return structuredClone(written.record) as HistoryRecordTypes[Store] | undefined;
    const key = await this.sealer.blind(store, id);
    const record = await reading(this.database.transaction(store)).store.get(key);
    if (record !== undefined && !isSealedRecord(record)) throw notSealed();
    this.seen.set(nameOf(store, key), { store, key, record });
    return record === undefined ? undefined : this.sealer.open(store, record);
  }

  async all<Store extends StoreName>(store: Store): Promise<HistoryRecordTypes[Store][]> {
    const records = new Map<string, HistoryRecordTypes[Store]>();
    for (const record of await reading(this.database.transaction(store)).store.getAll()) {
      if (!isSealedRecord(record)) throw notSealed();
      this.seen.set(nameOf(store, record.id), { store, key: record.id, record });
      const opened = await this.sealer.open(store, record);
      records.set(opened.id, opened);
    }
    for (const { store: other, id, record } of this.written.values()) {
      if (other !== store) continue;
      if (record === undefined) records.delete(id);
      else records.set(id, structuredClone(record) as HistoryRecordTypes[Store]);
    }
    return [...records.values()];
  }

  async put<Store extends StoreName>(store: Store, record: HistoryRecordTypes[Store]): Promise<void> {
    this.written.set(nameOf(store, record.id), { store, id: record.id, record: structuredClone(record) });
  }

  async delete(store: StoreName, id: string): Promise<void> {
    this.written.set(nameOf(store, id), { store, id, record: undefined });
  }

  /** Settles when it is committed; `false`: what it rests on has changed, and nothing was written. */
  async commit(): Promise<boolean> {
    if (this.written.size === 0) return true;
    const changes = await Promise.all(
      [...this.written.values()].map(async ({ store, id, record }) =>
        record === undefined ? { store, gone: await this.sealer.blind(store, id) } : { store, sealed: await this.sealer.seal(store, record) },
      ),
    );
    try {
      await inTransaction(this.database, async (tx) => {
        const before = [...this.seen.values()];
        const now = await Promise.all(before.map(({ store, key }) => tx.objectStore(store).get(key)));
        if (!before.every(({ record }, index) => isSame(record, now[index]))) throw changedMeanwhile;
        // All in one tick: the transaction stays open for the requests that it has.
        await Promise.all(
          changes.map(({ store, gone, sealed }) => (sealed === undefined ? tx.objectStore(store).delete(gone) : tx.objectStore(store).put(sealed))),
        );
      });
      return true;
    } catch (error) {
      if (error === changedMeanwhile) return false;
      throw error;
    }
  }
}

function nameOf(store: StoreName, id: string): string {
  return `${store}/${id}`;
}

function isSame(one: SealedRecord | undefined, other: object | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return isSealedRecord(other) && one.sealed.length === other.sealed.length && one.sealed.every((byte, at) => byte === other.sealed[at]);
}

/** Sealing is finished before anything else is done: there is none unless somebody put it there. */
export function notSealed(): Error {
  return Object.assign(new Error('a record of the sealed history is in the clear'), { code: 'damaged-history' });
}
