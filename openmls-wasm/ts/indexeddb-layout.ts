/**
 * Opening the database: its layout, and the checks before anything is changed in it (promise G6).
 *
 * Layout, version 5: one object store per category (keys: strings, values: `Uint8Array`), and three of our own. What every commit
 * changes of a group is together in `epoch_records`; the stores of what is in there are empty, unless the group is of an older layout.
 *
 * | store        | key              | value                                                          |
 * |--------------|------------------|----------------------------------------------------------------|
 * | `meta`       | `'format'`       | format of the records when it was made, a number               |
 * | `meta`       | `'writer'`       | fencing number, a number                                       |
 * | `meta`       | `'vault'`        | `VaultHeader`, if records are sealed                           |
 * | `meta`       | `'former-vault'` | the last one, if not every record opened when it was unsealed  |
 * | `meta`       | `'restoring'`    | true: it is being restored from a snapshot, and not whole      |
 * | `meta`       | `'restored-from'`| the salt of the full export it came from, in hex, if from one  |
 * | `incoming`   | auto-incremented | `QueueEntry`                                                   |
 * | `quarantine` | auto-incremented | `QuarantinedRecord`: what could not be read, moved out of the way |
 */

import { CoreCryptoError, messageOf } from './errors.js';
import { FIRST_VERSION, MIGRATIONS } from './migrations/index.js';
import { PersisterError, type PersisterSchema } from './persister.js';

/**
 * Version of the layout; IndexedDB itself refuses to open a database of a higher one. A category more or less is a new
 * version, with a step in `migrations/` from the version before it.
 */
export const DATABASE_VERSION = 5;
/** How long a tab may take to let go of a database that is to be brought to a newer layout. */
const BLOCKED_FOR_MS = 5000;
export const META_STORE = 'meta';
export const INCOMING_STORE = 'incoming';
export const QUARANTINE_STORE = 'quarantine';
export const FORMAT_KEY = 'format';
export const WRITER_KEY = 'writer';
export const VAULT_KEY = 'vault';
export const FORMER_VAULT_KEY = 'former-vault';
export const RESTORING_KEY = 'restoring';
export const RESTORED_FROM_KEY = 'restored-from';

/** Whether opening may create the database. Never when opening again: an empty one would then hide a loss. */
export type IfMissing = 'create' | 'fail';

/**
 * Opens the database `name` and checks that it is one of ours and not of a newer format.
 * @throws CoreCryptoError `newer-format`, `damaged-record`, `database-missing` or `indexeddb-unavailable`
 */
export async function openDatabase(name: string, schema: PersisterSchema, ifMissing: IfMissing): Promise<IDBDatabase> {
  const database = await openConnection(name, schema, ifMissing);
  try {
    checkStores(database, schema);
    checkFormat(name, await readMeta(database, FORMAT_KEY), schema.format);
    if (schema.evenIfRestoring !== true && (await readMeta(database, RESTORING_KEY)) !== undefined) {
      throw restoreUnfinished(name);
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function openConnection(name: string, schema: PersisterSchema, ifMissing: IfMissing): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    let missing = false;
    let older: 'ours' | 'other' | undefined;
    let blocked = false;
    let request: IDBOpenDBRequest;
    try {
      request = indexedDB.open(name, DATABASE_VERSION);
    } catch (error) {
      reject(unavailable(name, error));
      return;
    }
    request.onupgradeneeded = ({ oldVersion }) => {
      if (blocked) {
        request.transaction?.abort();
        return;
      }
      if (oldVersion > 0) {
        const isOurs = request.result.objectStoreNames.contains(META_STORE);
        if (isOurs && oldVersion >= FIRST_VERSION) {
          for (const { run } of MIGRATIONS.filter(({ to }) => to > oldVersion)) {
            run(request.result);
          }
        } else {
          older = isOurs ? 'ours' : 'other';
          request.transaction?.abort();
        }
        return;
      }
      if (ifMissing === 'fail') {
        missing = true;
        // Aborting the creation leaves no database behind.
        request.transaction?.abort();
        return;
      }
      createStores(request.result, request.transaction, schema);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => {
      // The abort above is reported as an error as well; it has been told by `missing`.
      const error = request.error;
      if (missing) {
        reject(missingError(name));
      } else if (older === 'other') {
        reject(notOurs(name, META_STORE));
      } else if (older === 'ours') {
        reject(tooOld(name));
      } else if (error?.name === 'VersionError') {
        reject(newerFormat(name, 'its layout is of a newer version'));
      } else {
        reject(unavailable(name, error));
      }
    };
    // Not for a deletion that is under way: opening waits for that, and goes on after it. A tab that closes its connection is
    // waited for too; but one of an older version, which does not, would be waited for for ever.
    request.onblocked = () => {
      setTimeout(() => {
        blocked = request.readyState === 'pending';
        if (blocked) {
          reject(
            new CoreCryptoError(
              'already-open',
              `database "${name}" is to be brought to a newer layout, and another tab still has it open: close or reload that one`,
            ),
          );
        }
      }, BLOCKED_FOR_MS);
    };
  });
}

function createStores(database: IDBDatabase, transaction: IDBTransaction | null, schema: PersisterSchema): void {
  for (const category of schema.categories) {
    database.createObjectStore(category.name);
  }
  database.createObjectStore(INCOMING_STORE, { autoIncrement: true });
  database.createObjectStore(QUARANTINE_STORE, { autoIncrement: true });
  database.createObjectStore(META_STORE);
  transaction?.objectStore(META_STORE).put(schema.format, FORMAT_KEY);
}

function checkStores(database: IDBDatabase, schema: PersisterSchema): void {
  for (const store of [META_STORE, INCOMING_STORE, QUARANTINE_STORE, ...schema.categories.map((category) => category.name)]) {
    if (!database.objectStoreNames.contains(store)) {
      throw notOurs(database.name, store);
    }
  }
}

function notOurs(name: string, store: string): CoreCryptoError {
  return new CoreCryptoError(
    'damaged-record',
    `database "${name}" has no object store "${store}"; it is not one of openmls-wasm and is left as it is`,
    { category: store },
  );
}

function readMeta(database: IDBDatabase, key: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    try {
      const request = database.transaction(META_STORE, 'readonly').objectStore(META_STORE).get(key);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(unavailable(database.name, request.error));
    } catch (error) {
      // The connection is closing already.
      reject(unavailable(database.name, error));
    }
  });
}

function checkFormat(name: string, stored: unknown, supported: number): void {
  if (typeof stored !== 'number') {
    throw withoutFormat(name);
  }
  if (stored > supported) {
    throw newerFormat(name, `its records are of format ${stored}, this version of openmls-wasm knows up to ${supported}`);
  }
}

function withoutFormat(name: string): CoreCryptoError {
  return new CoreCryptoError(
    'damaged-record',
    `database "${name}" does not say its format (${META_STORE}/${FORMAT_KEY}); it is left as it is`,
    { category: META_STORE, key: FORMAT_KEY },
  );
}

function newerFormat(name: string, what: string): CoreCryptoError {
  return new CoreCryptoError(
    'newer-format',
    `database "${name}" was written by a newer openmls-wasm: ${what}; it is left as it is, reload the app to update it`,
  );
}

/** What a database says of itself. */
export interface Peeked {
  /** The version of its layout. */
  readonly version: number;
  /** What it has in `meta`. */
  readonly meta: { readonly format: unknown; readonly vault: unknown; readonly restoring: unknown };
}

/**
 * Looks at a database as it is, of whatever version: changes nothing, creates nothing.
 * @throws CoreCryptoError `database-missing`, `damaged-record` or `indexeddb-unavailable`
 */
export async function peek(name: string): Promise<Peeked> {
  if (typeof indexedDB.databases === 'function') {
    // Without making one even for a moment: a page that is left meanwhile would keep others waiting.
    let databases: IDBDatabaseInfo[];
    try {
      databases = await indexedDB.databases();
    } catch (error) {
      throw unavailable(name, error);
    }
    if (!databases.some((database) => database.name === name)) {
      throw missingError(name);
    }
  }
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    let missing = false;
    let request: IDBOpenDBRequest;
    try {
      request = indexedDB.open(name);
    } catch (error) {
      reject(unavailable(name, error));
      return;
    }
    request.onupgradeneeded = () => {
      missing = true;
      // Aborting the creation leaves no database behind.
      request.transaction?.abort();
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(missing ? missingError(name) : unavailable(name, request.error));
  });
  try {
    if (!database.objectStoreNames.contains(META_STORE)) {
      throw notOurs(name, META_STORE);
    }
    const [format, vault, restoring] = await Promise.all(
      [FORMAT_KEY, VAULT_KEY, RESTORING_KEY].map((key) => readMeta(database, key)),
    );
    if (typeof format !== 'number') {
      throw withoutFormat(name);
    }
    return { version: database.version, meta: { format, vault, restoring } };
  } finally {
    database.close();
  }
}

// The error of a layout that was never kept.
export function tooOld(name: string): CoreCryptoError {
  return new CoreCryptoError(
    'unsupported-format',
    `database "${name}" was written by a version of openmls-wasm before the first release; it is left as it is`,
  );
}

// The error of a database that takes the place of another, and is not whole.
export function restoreUnfinished(name: string): CoreCryptoError {
  return new CoreCryptoError(
    'restore-unfinished',
    `restoring database "${name}" was interrupted; call restoreDatabase again with the same file`,
  );
}

function missingError(name: string): CoreCryptoError {
  return new CoreCryptoError(
    'database-missing',
    `database "${name}" does not exist (any more): it was never created, or was deleted or evicted by the browser`,
  );
}

/** The browser does not let us at the database. Opening it again may succeed. */
export function unavailable(name: string, error: unknown): CoreCryptoError {
  return new CoreCryptoError(
    'indexeddb-unavailable',
    `cannot open database "${name}": ${messageOf(error)}; check that the browser allows this site to store data`,
    { cause: error },
  );
}

/** What an aborted transaction means. `reason` is `transaction.error`: null if a script aborted it. */
export function abortError(name: string, reason: DOMException | null): PersisterError {
  if (reason?.name === 'QuotaExceededError') {
    return new PersisterError(
      'quota-exceeded',
      'not-committed',
      `database "${name}" has no room left: free storage on the device or in this site`,
      reason,
    );
  }
  // Without a reason of its own the transaction was aborted by a script. AbortError and UnknownError are what the browser
  // says when the connection went away under it.
  const unknown = reason?.name === 'AbortError' || reason?.name === 'UnknownError';
  return new PersisterError(
    unknown ? 'connection-lost' : 'aborted',
    unknown ? 'unknown' : 'not-committed',
    `a transaction on database "${name}" was aborted: ${reason?.message || 'by a script'}`,
    reason,
  );
}

/** The connection went away, and the transaction was not even aborted. */
export function lostError(name: string): PersisterError {
  return new PersisterError('connection-lost', 'unknown', `the browser closed database "${name}" under a transaction`);
}
