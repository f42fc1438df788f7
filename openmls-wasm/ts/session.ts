/**
 * The life of a client: opening, being open, ending.
 *
 * Opening: take the writer's lock, connect, become the writer, load, hydrate, process the durable queue; only then does
 * anything else run (promises G4, G5). If any of it fails the lock and the connection are given back, the database is as
 * it was, and every call made meanwhile rejects with the same error (promise G6).
 */

import * as check from './arguments.js';
import type { Engine, EngineHost, WasmSource } from './engine.js';
import { CoreCryptoError, isMlsError, messageOf } from './errors.js';
import { Emitter, type CoreCryptoEvents } from './events.js';
import * as checkGroup from './group-arguments.js';
import { IncomingQueue, type ProcessEntry } from './incoming-queue.js';
import { META_STORE, unavailable } from './indexeddb-layout.js';
import { IndexedDbPersister } from './indexeddb-persister.js';
import type { ClientState } from './client-state.js';
import type { CoreCryptoOptions } from './options.js';
import type { Category, StorageRecord } from './mls-types.js';
import { DEFAULT_MEMORY_LIMIT, PageLoader } from './page-loader.js';
import { PersisterError, type ClientDatabase, type DatabaseOrigin, type IncomingEntry, type Persister } from './persister.js';
import { DEFAULT_RETRY } from './retry.js';
import { lockedError, SealedPersister } from './vault/sealed-persister.js';
import { stretchWith } from './vault/stretch.js';
import type { Stretch, VaultUnlock } from './vault/unlock.js';
import { RoomWatch } from './storage-room.js';
import { WriteBehind } from './write-behind.js';
import { requestWebLock, type WriterLock } from './writer-lock.js';

/** Makes the engine host for a source of the wasm; undefined: the file of the build. */
export type MakeEngineHost = (source: WasmSource | PromiseLike<WasmSource> | undefined) => EngineHost;

/** What a session has of the client that it is of. */
export interface SessionContext {
  readonly makeHost: MakeEngineHost;
  readonly events: Emitter<CoreCryptoEvents>;
  /** What unlocks the vault; undefined: there is none, or it is locked. */
  readonly unlock: VaultUnlock | undefined;
  /** Whether the session is that of a vault that is locked: all it does is take in what arrives. */
  readonly locked: boolean;
}

/** See the module's documentation. */
export class Session {
  readonly events: Emitter<CoreCryptoEvents>;
  /** Fulfilled with the reason when the session ends, or begins to: nobody is waited for any more. */
  readonly ended: Promise<CoreCryptoError>;
  readonly #options: CoreCryptoOptions;
  readonly #host: EngineHost;
  /** Read in it only: what is written goes through the loop. */
  readonly persister: ClientDatabase;
  /** If the database is to be sealed: `persister`. */
  readonly vault: SealedPersister | undefined;
  /** As it is stored. */
  readonly #stored: Persister;
  readonly #locked: boolean;
  /** Runs Argon2id. */
  readonly stretch: Stretch;
  #categories: readonly Category[] = [];
  readonly #incoming: IncomingQueue;
  #state: ClientState = 'opening';
  #origin: DatabaseOrigin | undefined;
  #failure: CoreCryptoError | undefined;
  #connected: Promise<Engine> | undefined;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #announceEnd: (reason: CoreCryptoError) => void = () => undefined;
  #lock: WriterLock | undefined;
  #loop: WriteBehind | undefined;
  #room: RoomWatch | undefined;
  #gate: { readonly pass: (loop: WriteBehind) => void; readonly reject: (error: CoreCryptoError) => void }[] = [];

  constructor(options: CoreCryptoOptions, { makeHost, events, unlock, locked }: SessionContext) {
    this.#options = options;
    this.events = events;
    this.#locked = locked;
    this.ended = new Promise((resolve) => {
      this.#announceEnd = resolve;
    });
    this.#host = options.engine ?? makeHost(options.wasm);
    this.stretch = stretchWith(this.#host);
    const { name, durability, vault } = options;
    this.#stored = options.persister ?? new IndexedDbPersister({ name, durability });
    this.vault =
      vault === undefined
        ? undefined
        : new SealedPersister({
            name,
            persister: this.#stored,
            unlock,
            stretch: this.stretch,
            onProgress: (progress) => events.emit('vault-progress', progress),
          });
    this.persister = this.vault ?? this.#stored;
    this.#incoming = new IncomingQueue(this.persister, this.events);
  }

  get state(): ClientState {
    return this.#locked && this.#state === 'opening' ? 'locked' : this.#state;
  }

  get origin(): DatabaseOrigin | undefined {
    return this.#origin;
  }

  /** Once open: the kinds of records. */
  get categories(): readonly Category[] {
    return this.#categories;
  }

  /** Opens; calls after the first share its outcome. */
  open(run: (loop: WriteBehind) => ProcessEntry): Promise<void> {
    this.#opening ??= this.#open(run);
    return this.#opening;
  }

  /**
   * Hands the loop to `use`, at once if open, otherwise when opening has ended. Calls keep their order.
   * @param early also while the durable queue is processed: opening itself may wait for this call
   */
  withLoop<T>(use: (loop: WriteBehind) => Promise<T>, early: boolean = false): Promise<T> {
    if (this.#failure !== undefined || this.#closing !== undefined) {
      return Promise.reject(this.#failure ?? this.#closedError());
    }
    if (this.#locked) {
      return Promise.reject(lockedError(this.#options.name));
    }
    if ((early || this.#state === 'open') && this.#loop !== undefined) {
      return use(this.#loop);
    }
    return new Promise<T>((resolve, reject) => {
      this.#gate.push({ pass: (loop) => void use(loop).then(resolve, reject), reject });
    });
  }

  /** While opening: puts an entry in the durable queue. Returns undefined if the client is past that. */
  enqueue(entry: () => IncomingEntry): Promise<undefined> | undefined {
    if (this.#state !== 'opening' || this.#failure !== undefined || this.#closing !== undefined) {
      return undefined;
    }
    try {
      return this.#incoming.add(this.#connect(), entry()).then(
        () => undefined,
        (error: unknown) => {
          throw this.#openingError(error);
        },
      );
    } catch (error) {
      return Promise.reject(this.#openingError(error));
    }
  }

  /**
   * Ends the session after everything handed in has its outcome. Never rejects; calls after the first share it.
   * @param reason what calls reject with from then on
   */
  close(reason: CoreCryptoError = this.#closedError()): Promise<void> {
    this.#closing ??= this.#close(reason);
    return this.#closing;
  }

  async #open(run: (loop: WriteBehind) => ProcessEntry): Promise<void> {
    try {
      // The download of the wasm runs while the lock is asked for.
      const connected = this.#connect();
      connected.catch(() => undefined);
      await this.#takeLock();
      const engine = await connected;
      // Another client may have made it one of a vault since it was connected. Once this one is the writer, nobody can.
      await this.#refuseVault();
      this.#origin = await this.#claim(engine);
      await this.#refuseVault();
      const loop = this.#makeLoop(engine);
      await this.#incoming.process(run(loop), () => this.#opened(loop));
      // The loop may have failed in the very last step.
      if (this.#failure !== undefined) {
        throw this.#failure;
      }
    } catch (error) {
      const reason = this.#openingError(error);
      await this.#end('failed', reason);
      throw reason;
    }
  }

  /** A client without a vault must not write in the clear beside the header of one. */
  async #refuseVault(): Promise<void> {
    if (this.vault === undefined && (await this.#stored.loadVault()) !== undefined) {
      throw lockedError(this.#options.name);
    }
  }

  /** Becomes the writer, and loads the client's own records. What of them cannot be read is put aside, if the app wants that. */
  async #claim(engine: Engine): Promise<DatabaseOrigin> {
    for (;;) {
      try {
        return await this.persister.claimWriter((records) => this.#hydrate(engine, records));
      } catch (error) {
        const damage = this.#options.quarantineDamaged === true && error instanceof CoreCryptoError ? error : undefined;
        if (damage?.code !== 'damaged-record' || damage.category === undefined || damage.key === undefined) {
          throw error;
        }
        const { category, key } = damage;
        // Each time there is one record less. Without the mark of a move this database would go on beside the one it became.
        if (category === META_STORE || category === 'moved_away' || (await this.persister.quarantineRecord(category, key)) === 0) {
          throw error;
        }
        this.events.emit('quarantined', { category, key });
      }
    }
  }

  async #takeLock(): Promise<void> {
    const lock = await (this.#options.requestWriter ?? requestWebLock)(this.#options.name);
    this.#lock = lock;
    void lock.lost.then(() => {
      if (this.#lock === lock) {
        this.#fatal(
          new CoreCryptoError(
            'writer-lost',
            `the lock on database "${this.#options.name}" was taken by another client; open a new client to go on`,
          ),
        );
      }
    });
  }

  /** The first engine, and a connection to the database it describes. Needs no lock. */
  #connect(): Promise<Engine> {
    this.#connected ??= this.#host.start().then(async (engine) => {
      try {
        await this.persister.connect({
          categories: engine.categories,
          format: engine.formatVersion,
          mustExist: this.#options.mustExist === true,
        });
        await this.#refuseVault();
        this.#categories = engine.categories;
        return engine;
      } catch (error) {
        engine.discard();
        throw error;
      }
    });
    return this.#connected;
  }

  /** An engine is told what it is to do with groups before it sees any, the first one and every one after a panic. */
  #configure(engine: Engine): void {
    const { groupSettings, capabilities, validateCredential, maxEarlyMessages } = this.#options;
    if (validateCredential !== undefined || maxEarlyMessages !== undefined) {
      const max = check.optionalInteger('maxEarlyMessages', maxEarlyMessages, 0xffffffff);
      // Whom a proposal or commit brings in, the app is asked when its epoch is there.
      engine.client.setEarlyMessageSettings(max, validateCredential !== undefined);
    }
    if (groupSettings !== undefined) {
      engine.client.setGroupSettings(checkGroup.settings('groupSettings', groupSettings));
    }
    if (capabilities !== undefined) {
      engine.client.setAppCapabilities(checkGroup.capabilities('capabilities', capabilities));
    }
  }

  #hydrate(engine: Engine, records: readonly StorageRecord[]): void {
    this.#configure(engine);
    try {
      engine.client.hydrateClient(records);
    } catch (error) {
      if (!isMlsError(error)) {
        throw error;
      }
      throw new CoreCryptoError(
        'damaged-record',
        `database "${this.#options.name}" cannot be read: ${error.message}; all is left as it is`,
        { cause: error, category: error.category, key: error.key },
      );
    }
  }

  #makeLoop(engine: Engine): WriteBehind {
    const retry = { ...DEFAULT_RETRY, ...this.#options.retry };
    const limit = check.optionalInteger('memoryLimit', this.#options.memoryLimit) ?? DEFAULT_MEMORY_LIMIT;
    const loop = new WriteBehind({
      engine,
      persister: this.persister,
      pages: new PageLoader(this.persister, retry, limit, this.events, this.#options.quarantineDamaged === true),
      retry,
      events: this.events,
      restart: () => this.#restartedEngine(),
      onFatal: (error) => this.#fatal(error),
    });
    this.#loop = loop;
    if (this.#closing !== undefined) {
      loop.endWaiting();
    }
    return loop;
  }

  async #restartedEngine(): Promise<Engine> {
    const engine = await this.#host.start();
    try {
      // If another client became the writer meanwhile, this read says so, as every one after it.
      this.#hydrate(engine, await this.persister.load('client'));
      return engine;
    } catch (error) {
      engine.discard();
      throw error;
    }
  }

  #opened(loop: WriteBehind): void {
    if (this.#failure !== undefined) {
      return;
    }
    this.#room = new RoomWatch(this.events);
    this.#state = 'open';
    for (const call of this.#gate.splice(0)) {
      call.pass(loop);
    }
  }

  /** While open, or opening: nothing can be done any more. */
  #fatal(error: CoreCryptoError): void {
    if (this.#failure === undefined) {
      this.#failure = error;
      this.#loop?.fail(error);
      void this.#end('failed', error);
      if (error.code === 'writer-lost') {
        this.events.emit('writer-lost', { message: error.message });
      }
    }
  }

  /** Gives back lock, connection and engine; calls at the gate and to come reject with `reason`. */
  async #end(state: 'failed' | 'closed', reason: CoreCryptoError): Promise<void> {
    this.#failure ??= reason;
    this.#announceEnd(this.#failure);
    this.#state = state;
    for (const call of this.#gate.splice(0)) {
      call.reject(this.#failure);
    }
    this.#loop?.fail(this.#failure);
    this.#room?.end();
    // What is on its way into the durable queue still gets there: the client that opens next processes it.
    await this.#incoming.settled();
    this.persister.close();
    const lock = this.#lock;
    this.#lock = undefined;
    lock?.release();
    if (this.#loop === undefined) {
      // Not awaited: who is refused need not wait for the download of the wasm.
      this.#connected?.then(
        (engine) => engine.discard(),
        () => undefined,
      );
    }
    await lock?.lost;
  }

  async #close(reason: CoreCryptoError): Promise<void> {
    this.#announceEnd(reason);
    // Opening may itself wait for the outcome of a write.
    this.#loop?.endWaiting();
    await this.#opening?.catch(() => undefined);
    await this.vault?.settled();
    const failed = this.#failure !== undefined;
    this.#failure ??= reason;
    if (!failed) {
      await this.#loop?.close();
      await this.#end('closed', reason);
    }
    this.#state = 'closed';
  }

  #closedError(): CoreCryptoError {
    return new CoreCryptoError('closed', `the client of database "${this.#options.name}" is closed; open a new one`);
  }

  #openingError(error: unknown): CoreCryptoError {
    if (error instanceof CoreCryptoError) {
      return error;
    }
    if (error instanceof PersisterError || error instanceof DOMException) {
      return this.#failure ?? this.#storageError(error);
    }
    return new CoreCryptoError(
      'engine-panicked',
      `openmls-wasm cannot read database "${this.#options.name}": ${messageOf(error)}; all is left as it is`,
      { cause: error },
    );
  }

  #storageError(error: PersisterError | DOMException): CoreCryptoError {
    const { name } = this.#options;
    return error instanceof PersisterError || error.name === 'QuotaExceededError'
      ? new CoreCryptoError('storage-failed', `cannot open database "${name}": ${error.message}`, { cause: error })
      : unavailable(name, error);
  }
}
