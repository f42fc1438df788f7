/** Snapshots. */

import type { Argon2Parameters } from '../vault/header.js';
import type { StorageRecord } from './storage.js';

/** What a snapshot says without being opened. Nothing of it is verified: only opening it does that. */
export interface SnapshotInfo {
  /** The version of the file's format. */
  readonly version: number;
  /** `backup`: without what must not come back, for `importSnapshot`. `full`: everything, for `restoreDatabase`. */
  readonly kind: SnapshotKind;
  /** When it was made, in milliseconds since 1970. */
  readonly createdAt: number;
  /** Of the file, in bytes. */
  readonly size: number;
}

/** See {@link SnapshotInfo}. */
export type SnapshotKind = 'backup' | 'full';

/** What a passphrase comes to, for many snapshots; no script can export its key. */
export interface SnapshotKey {
  /** The salt of Argon2id. */
  readonly salt: Uint8Array;
  /** What trying a passphrase costs. */
  readonly argon2: Argon2Parameters;
  /** For HKDF. */
  readonly key: CryptoKey;
}

/** What importing a snapshot came to. */
export interface ImportReport {
  /** The groups that were added, `inert`. */
  readonly added: readonly Uint8Array[];
  /** The groups that are here already, and were not touched. */
  readonly untouched: readonly Uint8Array[];
  /** The groups that could not be read when it was made. */
  readonly unreadable: readonly Uint8Array[];
  /** What the app had added. */
  readonly appData: Blob | undefined;
}

/**
 * What `MlsClient` offers for snapshots, and for moving to another database.
 * @internal
 */
export interface SnapshotApi {
  exportStorageState(records: readonly StorageRecord[]): StorageRecord[];
  importStorageState(records: readonly StorageRecord[]): { readonly added: Uint8Array[]; readonly untouched: Uint8Array[] };
  beginMove(token: number): void;
  cancelMove(token: number): void;
  completeMove(token: number): void;
}
