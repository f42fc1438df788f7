/**
 * Where a client's records are kept: the interface between the write-behind loop and a database.
 *
 * `IndexedDbPersister` is the one that comes with the package. Another one is right if `persisterSuite` (exported by
 * `openmls-wasm/persister-suite`) passes over it.
 */

import type { CoreCryptoErrorCode } from './errors.js';
import type { Category, DeletedRange, IncomingMessage, IncomingWelcome, StorageEvent, StorageRecord } from './mls-types.js';
import type { VaultHeader } from './vault/header.js';

/** What a database must hold. Decided by the engine, so that categories are named in one place. */
export interface PersisterSchema {
  /** The kinds of records; each gets an object store. */
  readonly categories: readonly Category[];
  /** Format of the records; a database of a higher one is refused with `newer-format`. */
  readonly format: number;
  /** Refuse a database that does not exist (`database-missing`) instead of creating it. */
  readonly mustExist?: boolean;
  /** Whether one is opened that is being restored: by who restores it. */
  readonly evenIfRestoring?: boolean;
}

/**
 * Whether the database has ever had a writer before: `created` if not, `restored` if it has.
 *
 * It may have been made before without ever having a writer, to keep what was handed in before opening.
 */
export type DatabaseOrigin = 'created' | 'restored';

/** The records that one transaction changes. */
export interface WriteBatch {
  /** The changes to write. */
  readonly events: readonly StorageEvent[];
  /**
   * Positions in `events`: all from the first to the last of a range are deletions in one category and group, and of what is
   * between their keys nothing stays. In ascending order, none inside another. To be taken up or not: each of them is among the
   * events. A value in parts that is deleted has all its parts (the keys below its own) among the events.
   */
  readonly deletedRanges?: readonly DeletedRange[] | undefined;
  /** Keys of the durable queue whose effect is in `events`, or that are given up: deleted in the same transaction. */
  readonly incomingDone: readonly number[];
}

/** Records that take the place of others: between plain and sealed, and from one data key to the next. */
export interface Replacement {
  /** The key that is deleted. */
  readonly from: string;
  /** The key that is put; may be the same. */
  readonly to: string;
  /** The value that is put. */
  readonly value: Uint8Array;
}

/** What was handed in before the client was open. */
export type IncomingEntry = IncomingAttempts & (IncomingMessageEntry | IncomingWelcomeEntry);

/** How often an entry of the durable queue was tried. */
export interface IncomingAttempts {
  /** How often processing it was tried and put off. */
  readonly attempts: number;
}

/** A message of a group in the durable queue. */
export interface IncomingMessageEntry {
  /** An entry of a group's log. */
  readonly kind: 'message';
  /** What was handed in. */
  readonly message: IncomingMessage;
}

/** A Welcome in the durable queue. */
export interface IncomingWelcomeEntry {
  /** A Welcome. */
  readonly kind: 'welcome';
  /** What was handed in. */
  readonly message: IncomingWelcome;
}

/** A record that could not be read, as it was stored. */
export interface QuarantinedRecord extends StorageRecord {
  /** When it was moved out of the way, in milliseconds since 1970. */
  readonly quarantinedAt: number;
}

/** What was put aside, under its number. */
export interface StoredQuarantine {
  /** Its number; numbers grow. */
  readonly id: number;
  /** What was put aside. */
  readonly record: QuarantinedRecord;
}

/** An entry of the durable queue of a vault. */
export interface SealedIncomingEntry extends IncomingAttempts {
  /** Sealed. */
  readonly kind: 'sealed';
  /** What was handed in, sealed. */
  readonly sealed: Uint8Array;
}

/** What the durable queue of a database may hold. */
export type QueueEntry = IncomingEntry | SealedIncomingEntry;

/** An entry of the durable queue under its key; keys grow. */
export interface StoredIncoming<Entry = IncomingEntry> {
  /** Its place in the queue. */
  readonly key: number;
  /** What was handed in. */
  readonly entry: Entry;
}

/**
 * What the session of a client needs of a database.
 *
 * Every method rejects with a {@link PersisterError}, or with a `CoreCryptoError` when there is no point in trying again.
 * A write is atomic: after it failed with outcome `not-committed`, the database is as before.
 */
export interface ClientDatabase {
  /**
   * Connects. Creates the database if there is none.
   *
   * Changes nothing in a database of a newer format (`newer-format`) or one it does not understand (`damaged-record`).
   */
  connect(schema: PersisterSchema): Promise<void>;

  /**
   * Becomes the writer: increments the fencing number in the database and keeps the new one (promise G4).
   * From then on every write of an earlier writer fails.
   *
   * `accept` is called with all records of the client scope, inside the same transaction. If it throws, the transaction is aborted, the
   * database is as it was, and the call rejects with what was thrown.
   *
   * @returns whether this is the first writer that the database has
   */
  claimWriter(accept: (records: StorageRecord[]) => void): Promise<DatabaseOrigin>;

  /**
   * All records of a scope; without one, all there are. One consistent view.
   *
   * Here and in the other reads: of a persister that has become the writer, the view includes the fencing number. If
   * that is no longer ours the error is `writer-lost`; so two reads that succeed see nothing but our own writes between.
   */
  load(scope?: Category['scope']): Promise<StorageRecord[]>;

  /** All records of one group: in every category of the group scope, those whose key begins with `groupKey`. */
  loadGroup(groupKey: string): Promise<StorageRecord[]>;

  /** The records that the groups from `first` to `last`, in the order of `placesOf`, have in these categories. One view. */
  loadGroups(first: string, last: string, categories: readonly string[]): Promise<StorageRecord[]>;

  /** All records of one category. */
  loadCategory(category: string): Promise<StorageRecord[]>;

  /** Records of one category in the order of their keys: those behind the key `after`, and no more than `limit`. */
  loadPart(category: string, after: string | undefined, limit: number): Promise<StorageRecord[]>;

  /** What `loadPart` orders a category by: a string for each of `keys`, in their order. */
  placesOf(category: string, keys: readonly string[]): Promise<readonly string[]>;

  /** The value stored for each of `keys`, in their order; undefined where there is none. One consistent view. */
  read(keys: readonly { readonly category: string; readonly key: string }[]): Promise<(Uint8Array | undefined)[]>;

  /**
   * Writes a batch in one transaction, and settles when that is durable (promises G1, G2).
   *
   * The fencing number is checked inside the transaction; if it is no longer ours, nothing is written and the error is a
   * `CoreCryptoError` with code `writer-lost`.
   */
  write(batch: WriteBatch): Promise<void>;

  /** Appends to the durable queue. Needs a connection, not the writer's role. Settles when durable. */
  addIncoming(entry: IncomingEntry): Promise<number>;

  /** The durable queue, oldest first. What is sealed in it is of a vault that is not there any more. */
  listIncoming(): Promise<StoredIncoming<QueueEntry>[]>;

  /** Replaces an entry of the queue. Checks the fencing number as `write` does. */
  updateIncoming(key: number, entry: IncomingEntry): Promise<void>;

  /**
   * Moves all records of one group out of the way, in one transaction: they stay in the database, and are not of the group any
   * more. Checks the fencing number as `write` does; becomes the writer if there is no fencing number yet.
   * @returns how many there were
   */
  quarantineGroup(groupKey: string): Promise<number>;

  /** Moves one record out of the way, as `quarantineGroup` does those of a group. */
  quarantineRecord(category: string, key: string): Promise<number>;

  /** Has `listener` called when a connection that the browser dropped has been opened again. */
  onReconnect(listener: () => void): void;

  /** Closes the connection. Later calls reject. */
  close(): void;
}

/** A database of one client: what a session needs, and what a vault over it does. */
export interface Persister extends ClientDatabase {
  /**
   * Appends to the durable queue, as it is: of a vault, a sealed entry. Looks in the same transaction whether the header is still
   * that of the vault `vaultId`, or there is none; another client may have sealed the database meanwhile, or turned it back.
   * @throws CoreCryptoError `vault-locked` if it is another; nothing was appended
   */
  addIncoming(entry: QueueEntry, vaultId?: Uint8Array): Promise<number>;

  /** Replaces an entry of the queue. Checks the fencing number as `write` does. */
  updateIncoming(key: number, entry: QueueEntry): Promise<void>;

  /** The header of the vault; undefined: the records are in the clear. To be taken as it is, and checked by who asks. */
  loadVault(): Promise<unknown>;

  /**
   * Makes a new database one of a vault: stores the header, if there is none and the database has never had a writer.
   * Needs a connection, not the writer's role.
   * @returns whether it did
   */
  createVault(header: VaultHeader): Promise<boolean>;

  /**
   * Stores another header; null: none any more. Checks the fencing number as `write` does.
   * @param former kept beside it, for what it is still needed for: records that did not open when the database was unsealed
   */
  updateVault(header: VaultHeader | null, former?: VaultHeader): Promise<void>;

  /** What was put aside, oldest first, each under its number. */
  listQuarantine(): Promise<StoredQuarantine[]>;

  /** Replaces what was put aside under a number. Checks the fencing number as `write` does. */
  updateQuarantine(id: number, record: QuarantinedRecord): Promise<void>;

  /** Replaces records of one category in one transaction. Checks the fencing number as `write` does. */
  replace(category: string, replacements: readonly Replacement[]): Promise<void>;
}

/** Why a write failed. */
export type PersisterFailure =
  /** The transaction was aborted. */
  | 'aborted'
  /** There is no room: the origin's quota, or the disk, is exhausted. */
  | 'quota-exceeded'
  /** The browser closed the connection, or would not open one. */
  | 'connection-lost'
  /** The persister is closed, or was not connected. */
  | 'not-connected';

/**
 * A failure that may pass.
 *
 * `outcome` says whether the failed transaction is known not to have been committed. It is known after an `abort` event
 * with a reason in the transaction itself. It is not known when the connection went away under the transaction: the
 * browser then aborts it in the page without asking its database process, which may have committed it before.
 */
export class PersisterError extends Error {
  /** Always `PersisterError`. */
  override readonly name = 'PersisterError';


  /** @param cause the error of the database */
  constructor(
    /** Why it failed. */
    readonly reason: PersisterFailure,
    /** Whether it is known that nothing was committed. */
    readonly outcome: 'not-committed' | 'unknown',
    message: string,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** Codes after which writing again is pointless: the client fails for good. */
export const FATAL_CODES: ReadonlySet<CoreCryptoErrorCode> = new Set<CoreCryptoErrorCode>([
  'writer-lost',
  'newer-format',
  'database-missing',
  'damaged-record',
]);
