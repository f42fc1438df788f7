/** The storage seam: batches of events out, records in. */

/** One change of the store: a record put, or, with `value: null`, deleted. */
export interface StorageEvent {
  /** The kind of record: the name of its object store. */
  readonly category: string;
  /** The key, unique in its category. */
  readonly key: string;
  /** The bytes of the record; null: it was deleted. */
  readonly value: Uint8Array | null;
}

/** One stored record. Its key is unique in its category. */
export interface StorageRecord {
  /** The kind of record: the name of its object store. */
  readonly category: string;
  /** The key, unique in its category. */
  readonly key: string;
  /** The bytes of the record. */
  readonly value: Uint8Array;
}

/** The changes that must reach the database in one transaction, or not at all (promise G2). */
export interface StorageBatch {
  /** The number by which the batch is confirmed or put back. */
  readonly sequence: number;
  /** The changes; the last one of each key, by category and key. */
  readonly events: readonly StorageEvent[];
  /**
   * Which of the events delete all that there is between two keys: the positions in `events` of the first and the last of each
   * range. A database that can delete by range need not look at each.
   */
  readonly deletedRanges: readonly DeletedRange[];
}

/** The positions of a first and a last event, of one category. */
export type DeletedRange = readonly [first: number, last: number];

/**
 * Which records a category holds: those of the client itself, loaded when it opens (`client`) or, all of the category, when
 * something asks for them (`on-demand`); or those of groups, whose keys begin with the group id (`group`).
 */
export type CategoryScope = 'client' | 'on-demand' | 'single' | 'group';

/** Records that are loaded together: those of a group (its id in hex, as in their keys), all of a category, or a single one. */
export type Page =
  | {
      /** The group id in hex. */
      readonly group: string;
    }
  | {
      /** The category. */
      readonly category: string;
      /** The key of the record; undefined: all of the category. */
      readonly key?: string | undefined;
    };

/** A kind of record; it has an object store of the same name. */
export interface Category {
  /** The name of the object store. */
  readonly name: string;
  /** Whose records it holds. */
  readonly scope: CategoryScope;
  /** Whether a snapshot of kind `backup` looks at them. Default false. */
  readonly inSnapshots?: boolean;
}

/**
 * The storage seam of `MlsClient`.
 * @internal
 */
export interface StorageApi {
  drainStorageEvents(): StorageBatch | undefined;
  confirmBatch(sequence: number): void;
  /** The next batch then has every key of this one, whatever has become of the values; `countDurable` rests on it. */
  putBackBatch(sequence: number): void;
  rollBackUnconfirmed(): void;
  hasUnconfirmed(): boolean;
  isDirty(): boolean;
  hydrate(records: readonly StorageRecord[]): void;
  /** The records of the client scope. What else is needed an operation then asks for: it throws `not-loaded`. */
  hydrateClient(records: readonly StorageRecord[]): void;
  hydratePage(page: Page, records: readonly StorageRecord[]): void;
  /** Keys of `digest_node` that the engine would ask for when it is given this group, one after the other. */
  nodesToLoad(group: string): string[];
  /** @param limit of all that groups take, in bytes */
  releaseGroups(limit: number): void;
}
