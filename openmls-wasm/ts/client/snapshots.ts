/** Snapshots of an open client. */

import * as check from '../arguments.js';
import { CoreCryptoError } from '../errors.js';
import { bytesOf, hexOf } from '../hex.js';
import type { ImportReport, MlsClientApi, SnapshotKey } from '../mls-types.js';
import { makeSnapshotKey } from '../snapshot/keys.js';
import { BlobBuilder, OpenSnapshot } from '../snapshot/read.js';
import { snapshotStream } from '../snapshot/write.js';
import type { Argon2Parameters } from '../vault/header.js';
import { VaultMethods } from './vault.js';

/** What a snapshot is made with. */
export interface ExportOptions {
  /** What opens it; or what `snapshotKey` made of that. */
  readonly passphrase: string | SnapshotKey;
  /**
   * `backup` (default): for the day on which this database is lost. `full`: for moving to another browser. **When its stream has
   * given its last byte, this database sends no more**; one that is cancelled before that has moved nothing.
   */
  readonly kind?: 'backup' | 'full' | undefined;
  /** Of a backup: only these groups, beside what is the client's. Default all. */
  readonly groups?: readonly Uint8Array[] | undefined;
  /** What the app adds, such as its own history; handed back by the import. */
  readonly appData?: Blob | undefined;
}

/** What a snapshot is imported with. */
export interface ImportOptions {
  /** What opens it. */
  readonly passphrase: string;
}

/** How many imports share a transaction. */
const AT_ONCE = 16;

/** Part of `CoreCryptoClient`. */
export abstract class SnapshotMethods extends VaultMethods {
  readonly #beforeRemovals = new Set<() => Promise<unknown>>();

  /**
   * Makes a snapshot, as a stream that reads the database as it is read: cancel one that is not read to its end. A backup has no
   * key that decrypts or encrypts anything of a group, no key packages and no outbox (`docs/snapshots.md`). While a full export
   * is read, what would change something rejects with `moved-away`.
   * @throws `invalid-argument`; the stream fails with the codes of any call
   */
  async exportSnapshot(options: ExportOptions): Promise<ReadableStream<Uint8Array>> {
    check.object('options', options);
    const { passphrase, kind = 'backup', groups, appData } = options;
    if (kind !== 'backup' && kind !== 'full') {
      throw new CoreCryptoError('invalid-argument', 'kind is neither backup nor full');
    }
    if (appData !== undefined && !(appData instanceof Blob)) {
      throw new CoreCryptoError('invalid-argument', 'appData is not a Blob');
    }
    if (groups !== undefined && kind === 'full') {
      throw new CoreCryptoError('invalid-argument', 'a full export has all groups');
    }
    const only = groups === undefined ? undefined : new Set(check.listOfBytes('groups', groups).map(hexOf));
    const key = typeof passphrase === 'string' ? await this.snapshotKey(passphrase) : checkKey(passphrase);
    await this.change(() => undefined);
    const source = {
      categories: this.session.categories,
      stored: <T>(read: Parameters<typeof this.readStored<T>>[0]): Promise<T> => this.readStored(read),
      read: <T>(operation: (client: MlsClientApi) => T): Promise<T> => this.read(operation),
      change: <T>(operation: (client: MlsClientApi) => T): Promise<T> => this.change(operation),
    };
    return snapshotStream(source, { kind, key, groups: only, appData });
  }

  /**
   * What a passphrase comes to, for many snapshots: deriving it takes about a second.
   * @param argon2 what trying a passphrase costs; default and least 64 MiB and 3 passes
   * @throws `invalid-argument`
   */
  snapshotKey(passphrase: string, argon2?: Argon2Parameters): Promise<SnapshotKey> {
    return this.session.withLoop(() => makeSnapshotKey(passphrase, argon2, this.session.stretch));
  }

  /**
   * Takes in a backup. A group that is here is not touched; one that is missing is added `inert`: it is in `groupSummaries` and
   * can be deleted, and all else rejects with `group-inert` until `joinByExternalCommit`, or a Welcome, has made this client a
   * member anew. A client without an identity gets that of the backup. One that was interrupted is repeated.
   * @throws `unlock-failed`, `snapshot-damaged`, `newer-format`, `identity-conflict`; `invalid-argument` for a full export
   */
  async importSnapshot(file: Blob, options: ImportOptions): Promise<ImportReport> {
    check.object('options', options);
    const passphrase = check.text('passphrase', options.passphrase);
    const snapshot = await this.session.withLoop(() => OpenSnapshot.open(file, passphrase, this.session.stretch));
    if (snapshot.header.kind !== 'backup') {
      throw new CoreCryptoError('invalid-argument', 'a full export is restored by restoreDatabase');
    }
    const { unreadable } = await snapshot.verify();
    const [added, untouched]: [Uint8Array[], Uint8Array[]] = [[], []];
    const appData = new BlobBuilder();
    let waiting: Promise<void>[] = [];
    let first = true;
    for await (const frame of snapshot.frames()) {
      if (frame.kind === 'app-data') {
        appData.add(frame.bytes);
      } else if (frame.kind === 'records') {
        const { records } = frame;
        const imported = this.change((client) => client.importStorageState(records)).then((groups) => {
          added.push(...groups.added);
          untouched.push(...groups.untouched);
        });
        // It is waited for below.
        imported.catch(() => undefined);
        waiting.push(imported);
        // The first has the identity: if that is another's, nothing else may follow.
        if (first || waiting.length >= AT_ONCE) {
          await Promise.all(waiting);
          [waiting, first] = [[], false];
        }
      }
    }
    await Promise.all(waiting);
    return { added, untouched, unreadable: unreadable.map(bytesOf), appData: appData.build() };
  }

  /**
   * Waits for `hook` before this client makes a commit that removes members; what it rejects with is passed over.
   * @returns a function that ends it
   */
  beforeRemovals(hook: () => Promise<unknown>): () => void {
    this.#beforeRemovals.add(hook);
    return () => this.#beforeRemovals.delete(hook);
  }

  /** Calls the hooks of {@link beforeRemovals}; undefined if there are none, so that calls keep their order. */
  protected announceRemoval(): Promise<unknown> | undefined {
    const hooks = [...this.#beforeRemovals];
    return hooks.length === 0 ? undefined : Promise.allSettled(hooks.map(async (hook) => hook()));
  }
}

function checkKey(key: SnapshotKey): SnapshotKey {
  if (!(key?.salt instanceof Uint8Array) || key.salt.length !== 16 || !(key.key instanceof CryptoKey)) {
    throw new CoreCryptoError('invalid-argument', 'passphrase is neither a string nor what snapshotKey has made');
  }
  return key;
}
