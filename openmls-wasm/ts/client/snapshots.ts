/** Snapshots of an open client. */

import * as check from '../arguments.js';
import { CoreCryptoError } from '../errors.js';
import { bytesOf, hexOf } from '../hex.js';
import type { ImportReport, MlsClientApi } from '../mls-types.js';
import { makeSnapshotKey, type SnapshotKey } from '../snapshot/keys.js';
import { BlobBuilder, OpenSnapshot } from '../snapshot/read.js';
import { snapshotStream } from '../snapshot/write.js';
import type { Argon2Parameters } from '../vault/header.js';
import { VaultMethods } from './vault.js';

/** What a snapshot is made with. */
export interface ExportOptions {
  /** What opens it; or what {@link SnapshotMethods.snapshotKey} made of that. */
  readonly passphrase: string | SnapshotKey;
  /**
   * `backup` (default): for the day on which this database is lost. `full`: all of it, for moving to another browser. **This
   * database is moved then**: when the stream has given its last byte it sends no more, here or after a restart. One that is
   * cancelled before that has moved nothing.
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
   * Makes a snapshot: a file that opens with a passphrase only, as a stream that reads the database as it is read. Cancel a stream
   * that is not read to its end.
   *
   * A backup has the identity, the list of groups with their names, what was received and not acknowledged, pre-shared keys, and
   * what is needed to join the groups anew. It has no key packages, and of the groups no key that decrypts or encrypts anything:
   * a copy of one that comes back would be used a second time. What waits in the outbox is not in it; its text is in the inbox.
   *
   * While a full export is read, what would change something rejects with `moved-away`.
   * @throws `invalid-argument`. The stream fails with the codes of any call, and with `damaged-record`
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
   * Takes in a backup. What is here wins: a group that is here is not touched; one that is missing is added `inert`: it is in
   * {@link groupSummaries} and can be deleted, and whatever else is asked of it rejects with `group-inert` until
   * `joinByExternalCommit`, or a Welcome, has made this client a member with fresh keys. A client without an identity gets that
   * of the backup.
   *
   * The whole file is verified before anything is stored. An import that was interrupted is repeated: doing it twice is as good
   * as once.
   * @throws `unlock-failed`, `snapshot-damaged`, `newer-format`, `identity-conflict`; `invalid-argument` for a full export, which
   * `restoreDatabase` takes
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
   * Has `hook` called, and waits for it, before a commit of this client is made that removes members. What it rejects with is
   * passed over. Not for a client in a worker.
   * @returns a function that ends it
   */
  beforeRemovals(hook: () => Promise<unknown>): () => void {
    this.#beforeRemovals.add(hook);
    return () => this.#beforeRemovals.delete(hook);
  }

  /** Calls the hooks of {@link beforeRemovals}; undefined if there are none, so that calls keep their order. */
  protected announceRemoval(): Promise<unknown> | undefined {
    const hooks = [...this.#beforeRemovals];
    return hooks.length === 0 ? undefined : Promise.allSettled(hooks.map((hook) => hook()));
  }
}

function checkKey(key: SnapshotKey): SnapshotKey {
  if (!(key?.salt instanceof Uint8Array) || key.salt.length !== 16 || !(key.key instanceof CryptoKey)) {
    throw new CoreCryptoError('invalid-argument', 'passphrase is neither a string nor what snapshotKey has made');
  }
  return key;
}
