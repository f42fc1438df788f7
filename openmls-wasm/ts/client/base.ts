/** What all methods of `CoreCryptoClient` rest on: the session, and the ways a call runs. */

import { unreadable } from '../calls.js';
import { CoreCryptoError, type CoreCryptoErrorCode } from '../errors.js';
import { Emitter, type CoreCryptoEvents } from '../events.js';
import { Guard, questionOfKeyPackages, receivingMessage, receivingWelcome, type ReceivingSteps, type Run, type Steps } from '../guard.js';
import type { ProcessEntry } from '../incoming-queue.js';
import { laneOfGroup } from '../lanes.js';
import type { InboxItem, MlsClientApi, OutboxEntry } from '../mls-types.js';
import type { CoreCryptoOptions } from '../options.js';
import type { ClientDatabase, DatabaseOrigin } from '../persister.js';
import type { ClientState } from '../client-state.js';
import { Session, type MakeEngineHost } from '../session.js';
import { lockedError, type SealedPersister } from '../vault/sealed-persister.js';
import { checkUnlock, type VaultUnlock } from '../vault/unlock.js';
import type { WriteBehind } from '../write-behind.js';

/** The life of a client, and the ways a call runs. Part of `CoreCryptoClient`. */
export abstract class ClientBase {
  /**
   * Not part of the API. Another one after the vault was locked, and after it was unlocked.
   * @internal
   */
  protected session: Session;
  readonly #options: CoreCryptoOptions;
  readonly #makeHost: MakeEngineHost;
  readonly #events = new Emitter<CoreCryptoEvents>();
  /** Undefined if the app does not want to be asked. */
  #guard: Guard | undefined;
  #opening: Promise<void> | undefined;
  /** Locking and unlocking, one after the other. */
  #locking: Promise<void> = Promise.resolve();
  #closed = false;

  /** @internal */
  constructor({ vault, ...options }: CoreCryptoOptions, makeHost: MakeEngineHost) {
    this.#makeHost = makeHost;
    const unlock = vault === undefined ? undefined : checkUnlock('vault.unlock', vault.unlock);
    // The secret is not kept: only the session that is opened with it has it.
    this.#options = vault === undefined ? options : { ...options, vault: { unlock: LOCKED } };
    this.session = this.#begin(unlock, false);
  }

  /** Opens this client; see `CoreCryptoClient.open`. Calling it again returns the same promise. */
  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** `opening` until {@link open} has succeeded; `failed` if it has not, or if another client took the database over. */
  get state(): ClientState {
    return this.session.state;
  }

  /**
   * Once open: whether opening created the database, or found one. Undefined before.
   *
   * An app that has had an identity here and sees `created` knows that its data is missing: evicted by the browser,
   * cleared by the user, or of another profile or origin (promise G6). So does one that sees `restored` and has no
   * {@link identity}: the database was lost before, and an opening since then created it anew. To have none created in
   * the first place, open with `mustExist`.
   */
  get origin(): DatabaseOrigin | undefined {
    return this.session.origin;
  }

  /**
   * Waits for what is under way, then gives back the lock, the connection and the wasm instance. Never rejects. A call of
   * which it is not known whether it was stored gets one more look into the database, then rejects with `outcome-unknown`.
   */
  async close(): Promise<void> {
    this.#closed = true;
    const session = this.session;
    await session.close();
    await this.#locking;
    // Unlocking may have been under way.
    if (this.session !== session) {
      await this.session.close();
    }
  }

  /** Settles when everything called so far is durable. Ends a wait between two attempts to write. */
  flush(): Promise<void> {
    return this.session.withLoop((loop) => loop.flush());
  }

  /**
   * Listens to an event; see {@link CoreCryptoEvents}.
   * @returns a function that ends it
   */
  on<Name extends keyof CoreCryptoEvents>(
    name: Name,
    listener: (event: CoreCryptoEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * See `lock`.
   * @internal
   */
  protected lockSession(): Promise<void> {
    return this.#afterLocking(async () => {
      this.#needVault();
      if (this.#options.persister !== undefined) {
        throw new CoreCryptoError('invalid-argument', 'a client over a persister of the app cannot be locked: close it, and open another');
      }
      if (this.session.state !== 'locked') {
        await this.#replace(undefined, true);
      }
    });
  }

  /**
   * See `unlock`.
   * @internal
   */
  protected unlockSession(unlock: VaultUnlock): Promise<void> {
    return this.#afterLocking(async () => {
      this.#needVault();
      if (this.session.state !== 'locked') {
        throw new CoreCryptoError('invalid-argument', `database "${this.#options.name}" is not locked`);
      }
      await this.#replace(unlock, false);
      try {
        this.#opening = this.#open();
        await this.#opening;
      } catch (error) {
        if (!this.#closed) {
          await this.#replace(undefined, true);
        }
        throw error;
      }
    });
  }

  /**
   * Uses the vault of an open client.
   * @internal
   */
  protected withVault<T>(use: (vault: SealedPersister) => Promise<T>): Promise<T> {
    return this.session.withLoop(async () => use(this.#needVault()));
  }

  #needVault(): SealedPersister {
    const { vault } = this.session;
    if (vault === undefined) {
      throw new CoreCryptoError('not-sealed', `database "${this.#options.name}" is not sealed`);
    }
    return vault;
  }

  #afterLocking(work: () => Promise<void>): Promise<void> {
    const done = this.#locking.then(() => {
      if (this.#closed) {
        throw new CoreCryptoError('closed', `the client of database "${this.#options.name}" is closed; open a new one`);
      }
      return work();
    });
    this.#locking = done.catch(() => undefined);
    return done;
  }

  /** Another session: what is called from now on is for that one. */
  async #replace(unlock: VaultUnlock | undefined, locked: boolean): Promise<void> {
    const old = this.session;
    // It was there: if it is gone, that is an eviction, and no reason to make another (promise G6).
    this.session = this.#begin(unlock, locked, { mustExist: true });
    await old.close(lockedError(this.#options.name));
  }

  #begin(unlock: VaultUnlock | undefined, locked: boolean, more: Partial<CoreCryptoOptions> = {}): Session {
    const session = new Session({ ...this.#options, ...more }, { makeHost: this.#makeHost, events: this.#events, unlock, locked });
    const { validateCredential } = this.#options;
    this.#guard = validateCredential === undefined ? undefined : new Guard(validateCredential, session.ended);
    return session;
  }

  /**
   * Runs an operation whose result must rest on durable state. Also used for queries whose answer leaves the device or
   * makes the delivery service forget something: what they tell may be a change that is not durable yet.
   * @internal
   */
  protected change<T>(operation: (client: MlsClientApi) => T): Promise<T> {
    return this.session.withLoop((loop) => loop.run(operation));
  }

  /** @internal */
  protected read<T>(operation: (client: MlsClientApi) => T): Promise<T> {
    const asking = this.#guard?.asking === true;
    return this.session.withLoop((loop) => loop.read(operation), asking);
  }

  /**
   * Reads in the database itself, beside what is in memory.
   * @internal
   */
  protected async readStored<T>(read: (database: ClientDatabase) => Promise<T>): Promise<T> {
    const asking = this.#guard?.asking === true;
    try {
      return await this.session.withLoop(() => read(this.session.persister), asking);
    } catch (error) {
      throw unreadable(error);
    }
  }

  /** @internal */
  protected async send(operation: (client: MlsClientApi) => OutboxEntry): Promise<OutboxEntry> {
    const entry = await this.change(operation);
    this.session.events.emit('outbox', { entries: [entry] });
    return entry;
  }

  /**
   * Runs an operation that produces an item of the inbox, and announces it.
   * @internal
   */
  protected async receive(operation: (client: MlsClientApi) => InboxItem | undefined): Promise<InboxItem | undefined> {
    return this.#announced(await this.change(withEarlyItems(operation)));
  }

  /**
   * Processes an entry of a group's log or a Welcome, if the app accepts whoever enters by it, and announces its item.
   * @internal
   */
  protected handIn(steps: ReceivingSteps, lane: Lane): Promise<InboxItem | undefined> {
    const guard = this.#guard;
    return guard === undefined
      ? this.receive((client) => steps.accept(client, undefined))
      : guard.lanes.run(lane, () => this.#handIn(guard, steps, this.#run, this.#run));
  }

  /**
   * Runs an operation that may reach an epoch of which messages were kept, and announces their items.
   * @param groupOf the group, from its result
   * @internal
   */
  protected async advance<T>(
    operation: (client: MlsClientApi) => T,
    groupOf: (value: T) => Uint8Array,
  ): Promise<T> {
    const { value, early } = await this.change(withEarlyItems(operation));
    this.announce(early);
    const guard = this.#guard;
    if (guard !== undefined) {
      const groupId = groupOf(value);
      // Not awaited: the call itself needs no answer, and the validator may be what makes it.
      void guard.lanes.run(() => laneOfGroup(groupId), () => this.#handInEarly(guard, groupId, this.#run));
    }
    return value;
  }

  /**
   * As {@link advance}, for an operation by which credentials may enter a group: if the app accepts them.
   * @internal
   */
  protected async advanceGuarded<T extends { readonly groupId: Uint8Array }>(lane: Lane, steps: Steps<T>): Promise<T> {
    const guard = this.#guard;
    if (guard === undefined) {
      return this.advance(
        (client) => steps.accept(client, undefined),
        (value) => value.groupId,
      );
    }
    return guard.lanes.run(lane, async () => {
      const { value, early } = await guard.decide(this.#run, stepsWithEarlyItems(steps));
      this.announce(early);
      await this.#handInEarly(guard, value.groupId, this.#run);
      return value;
    });
  }

  /**
   * The lane of a Welcome is known only when it is opened; undefined for one that a call before it may make openable. One
   * that can never be opened needs to wait for nobody, and nobody for it.
   * @internal
   */
  protected async laneOfWelcome(welcome: Uint8Array, ratchetTree: Uint8Array | undefined): Promise<string | undefined> {
    try {
      const { groupId } = await this.read((client) => client.inspectWelcome(welcome, ratchetTree));
      return laneOfGroup(groupId);
    } catch (error) {
      return error instanceof CoreCryptoError && NEVER_OPENED.has(error.code) ? 'welcomes never opened' : undefined;
    }
  }

  /**
   * Runs an operation by which credentials may enter a group, if the app accepts them.
   * @internal
   */
  protected guarded<T>(lane: Lane, steps: Steps<T>): Promise<T> {
    const guard = this.#guard;
    return guard === undefined
      ? this.change((client) => steps.accept(client, undefined))
      : guard.lanes.run(lane, () => guard.decide(this.#run, steps));
  }

  /**
   * {@link send}, of something that adds the owners of key packages to a group, if the app accepts them.
   * @internal
   */
  protected sendAdding(
    groupId: Uint8Array,
    keyPackages: readonly Uint8Array[],
    operation: (client: MlsClientApi) => OutboxEntry,
  ): Promise<OutboxEntry> {
    return keyPackages.length === 0
      ? this.send(operation)
      : this.sendGuarded(() => laneOfGroup(groupId), {
          inspect: (client) => questionOfKeyPackages(client, groupId, keyPackages),
          inspectable: true,
          accept: operation,
        });
  }

  /**
   * {@link send}, of something by which credentials may enter a group, if the app accepts them.
   * @internal
   */
  protected async sendGuarded(lane: Lane, steps: Steps<OutboxEntry>): Promise<OutboxEntry> {
    const entry = await this.guarded(lane, steps);
    this.session.events.emit('outbox', { entries: [entry] });
    return entry;
  }

  /** @internal */
  protected announce(items: readonly InboxItem[]): void {
    if (items.length > 0) {
      this.session.events.emit('inbox', { items });
    }
  }

  readonly #run: Run = (operation) => this.change(operation);

  async #handIn(
    guard: Guard,
    steps: ReceivingSteps,
    run: Run,
    runEarly: Run,
  ): Promise<InboxItem | undefined> {
    const item = this.#announced(await guard.decide(run, stepsWithEarlyItems(steps)));
    // Also if there is no item: what is held for the present epoch may have got no answer when that began.
    const groupId = item?.groupId ?? steps.groupId;
    if (groupId !== undefined) {
      await this.#handInEarly(guard, groupId, runEarly);
    }
    return item;
  }

  async #open(): Promise<void> {
    await this.session.open((loop) => this.#processEntry(loop));
    const guard = this.#guard;
    if (guard !== undefined) {
      void this.#resumeEarly(guard);
    }
  }

  /** What was held for an answer of the app when the client was closed or the page went away. */
  async #resumeEarly(guard: Guard): Promise<void> {
    try {
      for (const groupId of await this.read((client) => client.groupsWithEarlyMessages())) {
        void guard.lanes.run(() => laneOfGroup(groupId), () => this.#handInEarly(guard, groupId, this.#run));
      }
    } catch {
      // The session has ended; the next one does it.
    }
  }

  /** What was kept for the epoch that a group has reached, and brings in somebody. */
  async #handInEarly(guard: Guard, groupId: Uint8Array, run: Run): Promise<void> {
    try {
      for (let last: Uint8Array = new Uint8Array(); ; ) {
        const next = await run((client) => client.nextEarlyMessage(groupId));
        // One that is still there is not tried twice in a row.
        if (next === undefined || sameBytes(next.bytes, last)) {
          return;
        }
        const { bytes, id } = next;
        last = bytes;
        const steps = receivingMessage(id === undefined ? { bytes } : { bytes, id });
        this.#announced(await guard.decide(run, stepsWithEarlyItems(steps)));
      }
    } catch (error) {
      // It is still kept, and tried again after the next message of its group, and after opening.
      if (!(error instanceof CoreCryptoError)) {
        throw error;
      }
    }
  }

  #announced({ value, early }: WithEarlyItems<InboxItem | undefined>): InboxItem | undefined {
    this.announce(value === undefined ? early : [value, ...early]);
    return value;
  }

  /** How an entry of the durable queue is processed: its end is part of the transaction of its effect. */
  #processEntry(loop: WriteBehind): ProcessEntry {
    return async ({ kind, message }, key) => {
      const steps = kind === 'message' ? receivingMessage(message) : receivingWelcome(message);
      const guard = this.#guard;
      return guard === undefined
        ? this.#announced(await loop.run(withEarlyItems((client) => steps.accept(client, undefined)), key))
        : this.#handIn(guard, steps, (operation) => loop.run(operation, key), (operation) => loop.run(operation));
    };
  }
}

/** Stands for the secret, which is not kept. */
const LOCKED: VaultUnlock = { kind: 'device' };

/** What a Welcome is refused with that no call can make openable. */
const NEVER_OPENED: ReadonlySet<CoreCryptoErrorCode> = new Set<CoreCryptoErrorCode>([
  'no-matching-key-package',
  'key-package-expired',
  'key-package-used',
  'key-package-of-other-client',
  'malformed-message',
  'wrong-kind',
  'stale-welcome',
  'invalid-welcome',
]);

/** Finds out in which order a call takes its turn; see `lanes.ts`. */
export type Lane = () => string | Promise<string | undefined>;

/** What an operation returned, and the items that it produced out of messages which had been kept for their epoch. */
interface WithEarlyItems<T> {
  readonly value: T;
  readonly early: readonly InboxItem[];
}

function withEarlyItems<T>(operation: (client: MlsClientApi) => T): (client: MlsClientApi) => WithEarlyItems<T> {
  return (client) => {
    const value = operation(client);
    return { value, early: client.takeEarlyItems() };
  };
}

function stepsWithEarlyItems<T>({ inspect, accept, refuse }: Steps<T>): Steps<WithEarlyItems<T>> {
  const done = { inspect, accept: (client: MlsClientApi, epoch: bigint | undefined) => withEarlyItems(() => accept(client, epoch))(client) };
  return refuse === undefined
    ? done
    : { ...done, refuse: (client, epoch) => withEarlyItems(() => refuse(client, epoch))(client) };
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
