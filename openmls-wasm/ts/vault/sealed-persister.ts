/**
 * A database whose records are sealed: what the session sees is in the clear, what the persister beneath it sees is not.
 *
 * Everything is sealed before the transaction is opened, and opened after it: awaiting WebCrypto inside one would end it.
 */

import { CoreCryptoError, messageOf } from '../errors.js';
import { hexOf } from '../hex.js';
import type { Category, StorageEvent, StorageRecord } from '../mls-types.js';
import {
  PersisterError,
  type ClientDatabase,
  type DatabaseOrigin,
  type IncomingEntry,
  type Persister,
  type PersisterSchema,
  type StoredIncoming,
  type WriteBatch,
} from '../persister.js';
import { convertRecords } from './conversion.js';
import { checkHeader, type VaultHeader, type VaultProgress } from './header.js';
import { sealIncoming } from './intake.js';
import { changeHeader, createVault, openVault, type HeaderChange, type Vault } from './keys.js';
import { sealedRanges } from './ranges.js';
import type { Stretch, VaultUnlock } from './unlock.js';

/** What a {@link SealedPersister} is made of. */
export interface SealedPersisterOptions {
  /** Name of the database. */
  readonly name: string;
  /** What holds the sealed records. */
  readonly persister: Persister;
  /** Unlocks the vault, and is what a new one is made with. Undefined: locked, only the durable queue takes something in. */
  readonly unlock: VaultUnlock | undefined;
  /** Runs Argon2id. */
  readonly stretch: Stretch;
  /** Told how far a conversion is that an earlier client did not finish. */
  readonly onProgress: (progress: VaultProgress) => void;
}

/** See the module's documentation, and `ClientDatabase` for what each method promises. */
export class SealedPersister implements ClientDatabase {
  readonly #options: SealedPersisterOptions;
  readonly #inner: Persister;
  #categories: readonly Category[] = [];
  #header: VaultHeader | undefined;
  #vault: Vault | undefined;
  #changing: Promise<void> = Promise.resolve();
  /** The places of groups of which no record opens: nobody knows their ids, so these stand for them. */
  readonly #unreadable = new Set<string>();
  /** Only until the vault is unlocked: what the user has typed need not stay in memory. */
  #secret: VaultUnlock | undefined;

  constructor(options: SealedPersisterOptions) {
    const { persister, unlock } = options;
    this.#inner = persister;
    this.#secret = unlock;
    this.#options = { ...options, unlock: undefined };
  }

  /** @throws CoreCryptoError `not-sealed`; those of the persister */
  async connect(schema: PersisterSchema): Promise<void> {
    await this.#inner.connect(schema);
    this.#categories = schema.categories;
    this.#header = (await this.#loadHeader()) ?? (await this.#create());
  }

  /** @throws CoreCryptoError `unlock-failed`, `vault-locked` */
  async claimWriter(accept: (records: StorageRecord[]) => void): Promise<DatabaseOrigin> {
    // Read while the keys are derived. If a conversion has ended with that, they are others now.
    let reading = this.#inner.load('client');
    reading.catch(() => undefined);
    if (await this.#unlock()) {
      reading = this.#inner.load('client');
    }
    for (;; reading = this.#inner.load('client')) {
      const sealed = await reading;
      const records = await this.#openAll(sealed);
      let changed = false;
      try {
        return await this.#inner.claimWriter((found) => {
          changed = !isSame(sealed, found);
          if (changed) {
            throw new Error('an earlier writer has written meanwhile');
          }
          accept(records);
        });
      } catch (error) {
        if (!changed) {
          throw error;
        }
      }
    }
  }

  async load(scope?: Category['scope']): Promise<StorageRecord[]> {
    return this.#openAll(await this.#inner.load(scope));
  }

  async loadGroup(groupKey: string): Promise<StorageRecord[]> {
    return this.#openAll(await this.#inner.loadGroup(await this.#placeOfGroup(groupKey)));
  }

  async loadGroups(first: string, last: string, categories: readonly string[]): Promise<StorageRecord[]> {
    const [from, to] = await Promise.all([this.#placeOfGroup(first), this.#placeOfGroup(last)]);
    return this.#openAll(await this.#inner.loadGroups(from, to, categories));
  }

  async loadCategory(category: string): Promise<StorageRecord[]> {
    return this.#openAll(await this.#inner.loadCategory(category));
  }

  async loadPart(category: string, after: string | undefined, limit: number): Promise<StorageRecord[]> {
    const place = after === undefined ? undefined : (await this.placesOf(category, [after]))[0];
    const sealed = await this.#inner.loadPart(category, place, limit);
    return Promise.all(sealed.map((record) => this.#openOfGroup(record)));
  }

  placesOf(category: string, keys: readonly string[]): Promise<readonly string[]> {
    const { sealer } = this.#unlocked();
    return Promise.all(keys.map((key) => (this.#unreadable.has(key) ? key : sealer.blind(key))));
  }

  async read(keys: readonly { readonly category: string; readonly key: string }[]): Promise<(Uint8Array | undefined)[]> {
    const { sealer } = this.#unlocked();
    const blind = async ({ category, key }: (typeof keys)[number]) => ({
      category,
      key: await sealer.blind(key),
    });
    const places = await Promise.all(keys.map(blind));
    const values = await this.#inner.read(places);
    return Promise.all(
      places.map(async ({ category, key }, index) => {
        const value = values[index];
        return value === undefined ? undefined : (await sealer.open(category, key, value)).value;
      }),
    );
  }

  async write({ events, deletedRanges, incomingDone }: WriteBatch): Promise<void> {
    const vault = this.#unlocked();
    const sealed = await writable(() => Promise.all(events.map((event) => this.#seal(vault, event))));
    await this.#inner.write({ ...sealedRanges(events, sealed, deletedRanges), incomingDone });
  }

  async addIncoming(entry: IncomingEntry): Promise<number> {
    for (;;) {
      const header = this.#header;
      if (header === undefined) {
        throw new PersisterError('not-connected', 'not-committed', `database "${this.#options.name}" is not connected`);
      }
      const sealed = await writable(() => sealIncoming(header, entry));
      try {
        return await this.#inner.addIncoming(sealed, header.id);
      } catch (error) {
        const stored = error instanceof CoreCryptoError && error.code === 'vault-locked' ? await this.#loadHeader() : header;
        if (stored === undefined) {
          throw notSealed(this.#options.name);
        }
        if (hexOf(stored.id) === hexOf(header.id)) {
          throw error;
        }
        // Another vault has taken the place of this one, before anybody unlocked it here.
        this.#header = stored;
      }
    }
  }

  /** An entry that does not open is left where it is, and is not in the list. */
  async listIncoming(): Promise<StoredIncoming[]> {
    const { intake } = this.#unlocked();
    const opened: StoredIncoming[] = [];
    for (const { key, entry } of await this.#inner.listIncoming()) {
      if (entry.kind !== 'sealed') {
        // Handed in before the database was sealed.
        opened.push({ key, entry });
        continue;
      }
      try {
        opened.push({ key, entry: await intake.open(entry) });
      } catch {
        // Changed, or sealed for another vault: nothing of it can be known.
      }
    }
    return opened;
  }

  async updateIncoming(key: number, entry: IncomingEntry): Promise<void> {
    const { header } = this.#unlocked();
    await this.#inner.updateIncoming(key, await writable(() => sealIncoming(header, entry)));
  }

  async quarantineGroup(groupKey: string): Promise<number> {
    return this.#inner.quarantineGroup(await this.#placeOfGroup(groupKey));
  }

  /** @param key of the record, or of its place: an error may name either */
  async quarantineRecord(category: string, key: string): Promise<number> {
    const [place = key] = await this.placesOf(category, [key]);
    const moved = await this.#inner.quarantineRecord(category, place);
    return moved > 0 ? moved : this.#inner.quarantineRecord(category, key);
  }

  onReconnect(listener: () => void): void {
    this.#inner.onReconnect(listener);
  }

  /** Settles when no change of the header is under way. */
  async settled(): Promise<void> {
    await this.#changing;
  }

  close(): void {
    // The keys go with it.
    this.#vault = undefined;
    this.#secret = undefined;
    this.#inner.close();
  }

  /** Seals what the app keeps elsewhere. `place`: where, so that it opens nowhere else. */
  sealAppData(place: string, value: Uint8Array): Promise<Uint8Array> {
    return this.#unlocked().appSealer.seal(APP_DATA, place, '', value);
  }

  /** @throws CoreCryptoError `damaged-record` */
  async openAppData(place: string, sealed: Uint8Array): Promise<Uint8Array> {
    return (await this.#unlocked().appSealer.open(APP_DATA, place, sealed)).value;
  }

  /** The header in use. */
  get header(): VaultHeader {
    return this.#unlocked().header;
  }

  /**
   * Changes the ways to unlock, one change after the other.
   * @param current a way to unlock: nothing that is in memory can export the vault key
   * @throws CoreCryptoError `unlock-failed`, `key-storage-unavailable`
   */
  changeHeader(current: VaultUnlock, change: HeaderChange): Promise<VaultHeader> {
    const { name, stretch } = this.#options;
    const changed = this.#changing.then(async () => {
      this.#unlocked();
      // What is stored, not what is known here: of an earlier change it may not be known whether it was.
      const stored = await this.#loadHeader().catch((error: unknown) => {
        throw storageFailed(name, error);
      });
      if (stored === undefined) {
        throw notSealed(name);
      }
      const header = await changeHeader(name, stored, current, stretch, change);
      try {
        await this.#inner.updateVault(header);
      } catch (error) {
        throw storageFailed(name, error);
      }
      this.#header = header;
      // It may have been locked meanwhile.
      this.#vault = this.#vault === undefined ? undefined : { ...this.#vault, header };
      return header;
    });
    this.#changing = changed.then(
      () => undefined,
      () => undefined,
    );
    return changed;
  }

  async #loadHeader(): Promise<VaultHeader | undefined> {
    const stored = await this.#inner.loadVault();
    return stored === undefined ? undefined : checkHeader(this.#options.name, stored);
  }

  /** Makes a database one of a vault that has just been created. */
  async #create(): Promise<VaultHeader> {
    const { name, stretch } = this.#options;
    const unlock = this.#secret;
    if (unlock === undefined) {
      throw lockedError(name);
    }
    const header = await createVault(unlock, stretch, 'sealed');
    try {
      if (await this.#inner.createVault(header)) {
        return header;
      }
    } catch (error) {
      throw isCloneError(error) ? cannotKeepKey(name, error) : error;
    }
    // Somebody else has made one meanwhile; or it is in the clear.
    const stored = await this.#loadHeader();
    if (stored === undefined) {
      throw notSealed(name);
    }
    return stored;
  }

  /** Once: it stays unlocked if the records then turn out to be damaged. @returns whether a conversion was finished */
  async #unlock(): Promise<boolean> {
    if (this.#vault !== undefined) {
      return false;
    }
    const { name, stretch, onProgress } = this.#options;
    const unlock = this.#secret;
    this.#secret = undefined;
    // With the writer's lock: it does not change any more. What was read before may be of another time.
    const header = await this.#loadHeader();
    if (header === undefined) {
      throw notSealed(name);
    }
    if (unlock === undefined) {
      throw lockedError(name);
    }
    this.#vault = await openVault(name, header, unlock, stretch);
    if (header.state !== 'sealed') {
      const finished = await convertRecords({
        name,
        persister: this.#inner,
        categories: this.#categories,
        vault: this.#vault,
        unlock,
        stretch,
        onProgress,
      });
      if (finished === null) {
        throw notSealed(name);
      }
      this.#vault = await openVault(name, finished, unlock, stretch);
    }
    this.#header = this.#vault.header;
    return header.state !== 'sealed';
  }

  #unlocked(): Vault {
    if (this.#vault === undefined) {
      throw lockedError(this.#options.name);
    }
    return this.#vault;
  }

  async #seal({ sealer }: Vault, { category, key, value }: StorageEvent): Promise<StorageEvent> {
    const place = await sealer.blind(key);
    return { category, key: place, value: value === null ? null : await sealer.seal(category, place, key, value) };
  }

  /**
   * A record of a part of a list. One that does not open must not hide the others: it is given out without a value, under its
   * key, which another record of the same group tells. If none of them opens either, the place stands for the group id.
   */
  async #openOfGroup({ category, key: place, value }: StorageRecord): Promise<StorageRecord> {
    const { sealer } = this.#unlocked();
    try {
      return await sealer.open(category, place, value);
    } catch {
      const [groupPlace = ''] = place.split('/');
      for (const other of await this.#inner.loadGroup(groupPlace)) {
        const opened = await sealer.open(other.category, other.key, other.value).catch(() => undefined);
        const [group] = opened?.key.split('/') ?? [];
        if (group !== undefined && groupPlace === place) {
          return { category, key: group, value: new Uint8Array() };
        }
      }
      this.#unreadable.add(place);
      return { category, key: place, value: new Uint8Array() };
    }
  }

  async #placeOfGroup(groupKey: string): Promise<string> {
    const { sealer } = this.#unlocked();
    return this.#unreadable.has(groupKey) ? groupKey : sealer.blind(groupKey);
  }

  #openAll(records: readonly StorageRecord[]): Promise<StorageRecord[]> {
    const { sealer } = this.#unlocked();
    return Promise.all(records.map(({ category, key, value }) => sealer.open(category, key, value)));
  }
}

/** In the place of an object store, for what the app keeps. */
const APP_DATA = 'app data';

function notSealed(name: string): CoreCryptoError {
  return new CoreCryptoError(
    'not-sealed',
    `database "${name}" is not sealed; open it without vault, or seal it first by sealDatabase`,
  );
}

/** The error of a vault that is locked. */
export function lockedError(name: string): CoreCryptoError {
  return new CoreCryptoError('vault-locked', `database "${name}" is sealed; nothing has changed, open it with vault.unlock`);
}

// What a failed write of something else than records comes to.
export function storageFailed(name: string, error: unknown): unknown {
  if (isCloneError(error)) {
    return cannotKeepKey(name, error);
  }
  if (!(error instanceof PersisterError)) {
    return error;
  }
  const unknown = error.outcome === 'unknown';
  return new CoreCryptoError(
    unknown ? 'outcome-unknown' : 'storage-failed',
    `database "${name}": ${error.message}; ${unknown ? 'it is not known whether it was written' : 'it was not written'}`,
    { cause: error },
  );
}

// WebCrypto fails when the device has no memory left, or the page is going away: nothing was written then.
async function writable<T>(seal: () => Promise<T>): Promise<T> {
  try {
    return await seal();
  } catch (error) {
    if (error instanceof CoreCryptoError) {
      throw error;
    }
    throw new PersisterError('aborted', 'not-committed', `a record could not be sealed: ${messageOf(error)}`, error);
  }
}

function isSame(one: readonly StorageRecord[], other: readonly StorageRecord[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ category, key, value }, index) => {
      const record = other[index];
      return (
        record !== undefined &&
        record.category === category &&
        record.key === key &&
        record.value.length === value.length &&
        record.value.every((byte, at) => byte === value[at])
      );
    })
  );
}

// A browser that cannot keep a CryptoKey refuses to clone it into the database.
function isCloneError(error: unknown): boolean {
  const cause = error instanceof PersisterError ? error.cause : error;
  return cause instanceof DOMException && cause.name === 'DataCloneError';
}

function cannotKeepKey(name: string, cause: unknown): CoreCryptoError {
  return new CoreCryptoError(
    'key-storage-unavailable',
    `this browser cannot keep the key of database "${name}" (a private window?); use a passphrase, a passkey or a key of the app's`,
    { cause },
  );
}
