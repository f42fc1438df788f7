/**
 * Restoring a full export: another database that goes on where the one went that was exported.
 *
 * The file is verified to its end before anything is changed. A new database says `restoring` until all is in it, and is not
 * opened before. With `replace` the new one is made whole beside the old one, under the name `<name> (restoring)`, and only then
 * takes its place: the old one says `restoring` from the transaction on that empties it, and what fills it is there already.
 * Killed at any point, calling it again with the same file finishes it.
 */

import * as check from '../arguments.js';
import type { Engine, EngineHost, WasmSource } from '../engine.js';
import { CoreCryptoError } from '../errors.js';
import { hexOf } from '../hex.js';
import { INCOMING_STORE } from '../indexeddb-layout.js';
import { deleteDatabase, isEmpty, isRestoring, noteRestoring, replaceContent, restoredFrom, withDatabase } from '../indexeddb-whole.js';
import { IndexedDbPersister } from '../indexeddb-persister.js';
import type { VaultOptions } from '../options.js';
import type { PersisterSchema } from '../persister.js';
import { SealedPersister, storageFailed } from '../vault/sealed-persister.js';
import { stretchWith } from '../vault/stretch.js';
import { checkUnlock, type Stretch } from '../vault/unlock.js';
import { WasmEngineHost } from '../wasm-engine-host.js';
import { requestWebLock, type RequestWriter } from '../writer-lock.js';
import type { Frame } from './frames.js';
import type { StorageRecord } from '../types/storage.js';
import { decodeQueued, isNewerQueued } from './queued.js';
import { BlobBuilder, OpenSnapshot } from './read.js';

/** What is restored, and where. */
export interface RestoreTask {
  /** Name of the database. */
  readonly name: string;
  /** The full export. */
  readonly file: Blob;
  /** What opens it. */
  readonly passphrase: string;
  /** Whether a database of that name is replaced if there is something in it. Default false. */
  readonly replace?: boolean | undefined;
  /** What the new database is sealed with. Default: its records are in the clear. */
  readonly vault?: VaultOptions | undefined;
  /** The wasm, as for `CoreCryptoClient.open`. */
  readonly wasm?: WasmSource | PromiseLike<WasmSource> | undefined;
  /** How the writer's role is obtained. Default: an exclusive Web Lock per `name`. */
  readonly requestWriter?: RequestWriter | undefined;
  /** What makes engines. Default: the package's wasm. */
  readonly engine?: EngineHost | undefined;
}

/** What restoring came to. */
export interface RestoreReport {
  /** What the app had added. */
  readonly appData: Blob | undefined;
}

/**
 * Restores a full export, in the place of a database that no client has open. Then open it as any other; never restore the same
 * file in two browsers.
 * @throws CoreCryptoError `unlock-failed`, `snapshot-damaged`, `newer-format`; `database-exists`; `already-open`;
 * `invalid-argument` for a backup, which `importSnapshot` takes; `storage-failed`, `indexeddb-unavailable`
 */
export async function restoreDatabase(task: RestoreTask): Promise<RestoreReport> {
  check.object('task', task);
  const [name, passphrase] = [check.text('name', task.name), check.text('passphrase', task.passphrase)];
  if (task.vault !== undefined) {
    checkUnlock('vault.unlock', task.vault.unlock);
  }
  const host = task.engine ?? new WasmEngineHost(task.wasm);
  const stretch = stretchWith(host);
  const snapshot = await OpenSnapshot.open(task.file, passphrase, stretch);
  if (snapshot.header.kind !== 'full') {
    throw new CoreCryptoError('invalid-argument', 'a backup is imported by importSnapshot');
  }
  const { categories, formatVersion: format, discard }: Engine = await host.start();
  discard();
  const schema = { categories, format };
  const names = new Set(categories.map((category) => category.name));
  await snapshot.verify((frame) => checkKnown(frame, names, format));
  const lock = await (task.requestWriter ?? requestWebLock)(name);
  try {
    await new Restoration(task, schema, snapshot, stretch).run();
    return { appData: await appDataOf(snapshot) };
  } catch (error) {
    throw storageFailed(name, error);
  } finally {
    lock.release();
    await lock.lost;
  }
}

class Restoration {
  readonly #task: RestoreTask;
  readonly #schema: PersisterSchema;
  readonly #snapshot: OpenSnapshot;
  readonly #stretch: Stretch;

  constructor(task: RestoreTask, schema: PersisterSchema, snapshot: OpenSnapshot, stretch: Stretch) {
    this.#task = task;
    this.#schema = schema;
    this.#snapshot = snapshot;
    this.#stretch = stretch;
  }

  async run(): Promise<void> {
    const { name, replace } = this.#task;
    const beside = `${name} (restoring)`;
    const there = await withDatabase(name, this.#schema, async (database) => ({
      empty: await isEmpty(database),
      restoring: await isRestoring(database),
      source: await restoredFrom(database),
    }));
    if (there.empty || there.restoring) {
      // Nothing of worth is in it: what is there came from this file, or another copy of it is beside it. That one goes first:
      // there may not be room for both, and the file is verified.
      await deleteDatabase(beside);
      await deleteDatabase(name);
      await this.#fill(name);
    } else if (replace === true && there.source === this.#source) {
      // It has taken the place already, and may have gone on since: what the file holds is older.
      await deleteDatabase(beside);
    } else if (replace === true) {
      await deleteDatabase(beside);
      try {
        await this.#fill(beside);
      } catch (error) {
        // Nobody would look for its keys there.
        await deleteDatabase(beside).catch(() => undefined);
        throw error;
      }
      await withDatabase(beside, this.#schema, (from) => withDatabase(name, this.#schema, (to) => replaceContent(from, to)));
    } else {
      throw new CoreCryptoError('database-exists', `there is a database "${name}" already, with something in it`);
    }
    await deleteDatabase(beside);
  }

  /** What tells this file from all others. */
  get #source(): string {
    return hexOf(this.#snapshot.header.fileSalt);
  }

  /** Makes a database out of the file. */
  async #fill(name: string): Promise<void> {
    await withDatabase(name, this.#schema, (database) => noteRestoring(database, true));
    const inner = new IndexedDbPersister({ name });
    const { vault } = this.#task;
    const persister =
      vault === undefined
        ? inner
        : new SealedPersister({ name, persister: inner, unlock: vault.unlock, stretch: this.#stretch, onProgress: () => undefined });
    try {
      await persister.connect({ ...this.#schema, evenIfRestoring: true });
      await persister.claimWriter(() => undefined);
      for await (const frame of this.#snapshot.frames()) {
        if (frame.kind === 'records') {
          await persister.write({ events: frame.records.filter((record) => !isQueued(record) && !FORMER.has(record.category)), incomingDone: [] });
          for (const queued of frame.records.filter(isQueued)) {
            await persister.addIncoming(decodeQueued(queued));
          }
        }
      }
    } finally {
      persister.close();
    }
    await withDatabase(name, this.#schema, (database) => noteRestoring(database, false, this.#source));
  }
}

/** What files of layout 3 have, and the layouts after it have not: see `migrations/version-4.ts`. */
const FORMER: ReadonlySet<string> = new Set(['group_root', 'group_root_node']);

const isQueued = ({ category }: StorageRecord): boolean => category === INCOMING_STORE;

/** A file of a newer version may hold what this one would not find again. */
function checkKnown(frame: Frame, categories: ReadonlySet<string>, format: number): void {
  for (const record of frame.kind === 'records' ? frame.records : []) {
    const isKnown = isQueued(record)
      ? !isNewerQueued(record)
      : FORMER.has(record.category) || (categories.has(record.category) && (record.value[0] ?? 0) <= format);
    if (!isKnown) {
      throw new CoreCryptoError('newer-format', 'the snapshot holds records of a newer openmls-wasm; reload the app to update it');
    }
    if (isQueued(record)) {
      decodeQueued(record);
    }
  }
}

async function appDataOf(snapshot: OpenSnapshot): Promise<Blob | undefined> {
  const appData = new BlobBuilder();
  for await (const frame of snapshot.frames()) {
    if (frame.kind === 'app-data') {
      appData.add(frame.bytes);
    }
  }
  return appData.build();
}
