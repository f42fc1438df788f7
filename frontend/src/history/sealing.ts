import { inTransaction, reading, type HistoryConnection } from './connection.ts';
import { allStores, type HistoryDatabase, type HistoryRecordTypes, type SealNote, type StoreName } from './database.ts';
import { HistorySealer, isSealedRecord, makeBlinding, type HistoryVault } from './sealer.ts';

export type HistoryErrorCode = 'sealed-history' | 'damaged-history' | 'foreign-backup' | 'identity-conflict' | 'newer-format';

/** The history is not what the state of the crypto client's database lets expect; it is left as it is. */
export class HistoryError extends Error {
  constructor(readonly code: HistoryErrorCode, cause?: unknown) {
    super(`the history cannot be opened: ${code}`, { cause });
  }
}

/** Few enough to keep memory bounded, many enough that transactions do not count. */
const recordsAtOnce = 200;

export function sealNote(connection: HistoryConnection): Promise<SealNote | undefined> {
  return connection.use((database) => reading(database.transaction('meta')).store.get('seal'));
}

/**
 * Opens a history for a client that has a vault. One that is in the clear, because the vault is new, is sealed first; killed
 * in the middle, that goes on at the next start. A browser erases on the disk what was in the clear when it compacts.
 * @param onProgress told how many records are sealed
 */
export async function openSealer(connection: HistoryConnection, vault: HistoryVault, onProgress: (records: number) => void): Promise<HistorySealer> {
  const note = (await sealNote(connection)) ?? (await begin(connection, vault));
  const sealer = await HistorySealer.open(vault, note.blinding).catch((error: unknown) => {
    // Of another vault, or damaged.
    throw (error as { code?: unknown }).code === 'damaged-record' ? new HistoryError('damaged-history', error) : error;
  });
  if (note.state === 'sealed') return sealer;
  let records = 0;
  for (const store of allStores) {
    let after: string | undefined;
    for (;;) {
      const last = await connection.use((database) => sealSome(database, sealer, store, after));
      if (last === undefined) break;
      after = last.key;
      records += last.sealed;
      onProgress(records);
    }
  }
  await connection.use((database) =>
    inTransaction(database, async (tx) => void (await tx.objectStore('meta').put({ ...note, state: 'sealed' }, 'seal'))),
  );
  return sealer;
}

async function begin(connection: HistoryConnection, vault: HistoryVault): Promise<SealNote> {
  const note: SealNote = { state: 'sealing', blinding: await makeBlinding(vault) };
  return connection.use((database) =>
    inTransaction(database, async (tx) => {
      const there = await tx.objectStore('meta').get('seal');
      if (there !== undefined) return there;
      await tx.objectStore('meta').put(note, 'seal');
      return note;
    }),
  );
}

/** Seals what of the next records is in the clear. Undefined: there are no more. */
async function sealSome(
  database: HistoryDatabase,
  sealer: HistorySealer,
  store: StoreName,
  after: string | undefined,
): Promise<{ key: string; sealed: number } | undefined> {
  const range = after === undefined ? undefined : IDBKeyRange.lowerBound(after, true);
  const records = await reading(database.transaction(store)).store.getAll(range, recordsAtOnce);
  const last = records.at(-1);
  if (last === undefined) return undefined;
  const clear = records.filter((record) => !isSealedRecord(record)) as HistoryRecordTypes[StoreName][];
  const sealed = await Promise.all(clear.map((record) => sealer.seal(store, record)));
  if (clear.length > 0) {
    await inTransaction(database, async (tx) => {
      await Promise.all([...clear.map(({ id }) => tx.objectStore(store).delete(id)), ...sealed.map((record) => tx.objectStore(store).put(record))]);
    });
  }
  return { key: last.id, sealed: clear.length };
}
