/**
 * `CoreCryptoClient`: MLS (RFC 9420) for a web app, over a store that never silently loses, forks or rolls back a group.
 *
 * What a promise of this class means: it settles with its result after everything the call changed, and everything
 * changed before it, is durable (promise G1). It rejects after what it did has been taken back; the one exception is the
 * code `outcome-unknown`, and it says so. Calls take effect in the order they are made; there is no need to await one
 * before the next.
 *
 * Not to be changed until the promise settles: the byte arrays passed in.
 */

import * as check from './arguments.js';
import type { CoreCryptoEvents } from './events.js';
import type { ProcessEntry } from './incoming-queue.js';
import type {
  GroupInfo,
  Identity,
  InboxItem,
  IncomingMessage,
  IncomingWelcome,
  KeyPackageInfo,
  MlsClientApi,
  OutboxEntry,
  Processed,
} from './mls-types.js';
import type { CoreCryptoOptions } from './options.js';
import type { DatabaseOrigin } from './persister.js';
import { Session, type ClientState } from './session.js';
import type { WriteBehind } from './write-behind.js';

/**
 * A client: one identity on one device, with its key packages and groups, in one database.
 *
 * Every method may reject with a {@link CoreCryptoError}: `storage-failed`, `outcome-unknown`, `engine-panicked`,
 * `writer-lost`, `closed`, `invalid-argument`, and the codes that are named at the method.
 */
export class CoreCryptoClient {
  readonly #session: Session;

  /**
   * A client that is not open yet. `receiveMessage` and `receiveWelcome` may be called from now on, and go through the
   * durable queue; other calls wait for {@link open}.
   */
  constructor(options: CoreCryptoOptions) {
    this.#session = new Session(options);
  }

  /**
   * Opens a client. Then look into {@link inbox} and {@link outbox}: what the last run left is there. (To hear of what is
   * processed while opening, make the client with `new`, listen, and call {@link open}.)
   * @throws CoreCryptoError `already-open`, `newer-format`, `damaged-record`, `database-missing`,
   * `indexeddb-unavailable`, `locks-unavailable`, `wasm-unavailable`, `storage-failed`; the database is then as it was
   */
  static async open(options: CoreCryptoOptions): Promise<CoreCryptoClient> {
    const client = new CoreCryptoClient(options);
    await client.open();
    return client;
  }

  /** Opens this client; see the static method. Calling it again returns the same promise. */
  open(): Promise<void> {
    return this.#session.open((loop) => this.#processEntry(loop));
  }

  /** `opening` until {@link open} has succeeded; `failed` if it has not, or if another client took the database over. */
  get state(): ClientState {
    return this.#session.state;
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
    return this.#session.origin;
  }

  /**
   * Waits for what is under way, then gives back the lock, the connection and the wasm instance. Never rejects. A call of
   * which it is not known whether it was stored gets one more look into the database, then rejects with `outcome-unknown`.
   */
  close(): Promise<void> {
    return this.#session.close();
  }

  /** Settles when everything called so far is durable. Ends a wait between two attempts to write. */
  flush(): Promise<void> {
    return this.#session.withLoop((loop) => loop.flush());
  }

  /**
   * Listens to an event; see {@link CoreCryptoEvents}.
   * @returns a function that ends it
   */
  on<Name extends keyof CoreCryptoEvents>(
    name: Name,
    listener: (event: CoreCryptoEvents[Name]) => void,
  ): () => void {
    return this.#session.events.on(name, listener);
  }

  // --- identity -------------------------------------------------------------------------------------------------

  /**
   * Creates the identity: a signature key pair and a basic credential (RFC 9420 §5.3).
   * @param ciphersuite RFC 9420 §17.1, default 1
   * @throws `identity-exists`
   */
  createIdentity(identity: Uint8Array, ciphersuite?: number): Promise<Identity> {
    return this.#change((client) =>
      client.createIdentity(
        check.bytes('identity', identity),
        check.optionalInteger('ciphersuite', ciphersuite, 0xffff),
      ),
    );
  }

  /** The identity, or undefined if none was created yet. */
  identity(): Promise<Identity | undefined> {
    return this.#change((client) => client.identity());
  }

  /** Signs as RFC 9420 §5.1.2 does, with the label `"MLS 1.0 " + label`: what proves possession of the signature key. */
  signWithLabel(label: string, content: Uint8Array): Promise<Uint8Array> {
    return this.#change((client) =>
      client.signWithLabel(check.text('label', label), check.bytes('content', content)),
    );
  }

  /** Makes `count` key packages (RFC 9420 §10), each a framed MLSMessage, each to be used once. */
  generateKeyPackages(count: number): Promise<Uint8Array[]> {
    return this.#change((client) => client.generateKeyPackages(check.integer('count', count, 0xffffffff)));
  }

  /** Makes a key package that may be used more than once (RFC 9420 §16.8). */
  generateLastResortKeyPackage(): Promise<Uint8Array> {
    return this.#change((client) => client.generateLastResortKeyPackage());
  }

  /** The key packages whose private keys this client still holds. */
  keyPackages(): Promise<KeyPackageInfo[]> {
    return this.#change((client) => client.keyPackages());
  }

  /**
   * Deletes key packages, by their references, with their private keys: all, or none of them. For those that were never
   * published, have expired or were replaced; a Welcome for one of them cannot be opened any more.
   * @throws `unknown-key-package`
   */
  deleteKeyPackages(references: readonly Uint8Array[]): Promise<void> {
    return this.#change((client) => client.deleteKeyPackages(check.listOfBytes('references', references)));
  }

  // --- groups ---------------------------------------------------------------------------------------------------

  /** Creates a group with this client as its member (RFC 9420 §11); returns the group id. Default: a random id. */
  createGroup(groupId?: Uint8Array): Promise<Uint8Array> {
    return this.#change((client) =>
      client.createGroup(groupId === undefined ? undefined : check.bytes('groupId', groupId)),
    );
  }

  /** Ids of the groups in this database. In memory: does not wait for the database. */
  listGroups(): Promise<Uint8Array[]> {
    return this.#read((client) => client.listGroups());
  }

  /** What is known of a group. In memory: does not wait for the database. @throws `group-not-found` */
  groupInfo(groupId: Uint8Array): Promise<GroupInfo> {
    return this.#read((client) => client.groupInfo(check.bytes('groupId', groupId)));
  }

  /** Deletes all of a group from this device. The other members do not learn of it: leave first. */
  deleteGroup(groupId: Uint8Array): Promise<void> {
    return this.#change((client) => client.deleteGroup(check.bytes('groupId', groupId)));
  }

  // --- low level: no records in inbox or outbox --------------------------------------------------------------------

  /** Encrypts (RFC 9420 §6.3) and keeps no copy. For chats use {@link sendMessage}. */
  encryptMessage(groupId: Uint8Array, plaintext: Uint8Array): Promise<Uint8Array> {
    return this.#change((client) =>
      client.encryptMessage(check.bytes('groupId', groupId), check.bytes('plaintext', plaintext)),
    );
  }

  /** Processes a framed MLSMessage and keeps no copy; a commit is merged. For chats use {@link receiveMessage}. */
  processMessage(bytes: Uint8Array): Promise<Processed> {
    return this.#change((client) => client.processMessage(check.bytes('bytes', bytes)));
  }

  /** Joins by a framed Welcome (RFC 9420 §12.4.3.1); returns the group id. For chats use {@link receiveWelcome}. */
  joinGroup(welcome: Uint8Array): Promise<Uint8Array> {
    return this.#change((client) => client.joinGroup(check.bytes('welcome', welcome)));
  }

  /** Merges the group's pending commit, which the delivery service has ordered. */
  mergePendingCommit(groupId: Uint8Array): Promise<void> {
    return this.#change((client) => client.mergePendingCommit(check.bytes('groupId', groupId)));
  }

  /** Drops the group's pending commit. Only after an explicit rejection, never after a time-out. */
  clearPendingCommit(groupId: Uint8Array): Promise<void> {
    return this.#change((client) => client.clearPendingCommit(check.bytes('groupId', groupId)));
  }

  // --- sending, with an outbox (promise G10) -----------------------------------------------------------------------

  /**
   * Encrypts an application message and puts it in the outbox; upload its `bytes` under its `id`.
   * @param id default: 32 random hex digits
   */
  sendMessage(groupId: Uint8Array, plaintext: Uint8Array, id?: string): Promise<OutboxEntry> {
    return this.#send((client) =>
      client.sendMessage(
        check.bytes('groupId', groupId),
        check.bytes('plaintext', plaintext),
        check.optionalText('id', id),
      ),
    );
  }

  /** Commits the addition of the owners of `keyPackages`; pending until it comes back. @throws `pending-commit` */
  addMembers(groupId: Uint8Array, keyPackages: readonly Uint8Array[], id?: string): Promise<OutboxEntry> {
    return this.#send((client) =>
      client.addMembers(
        check.bytes('groupId', groupId),
        check.listOfBytes('keyPackages', keyPackages),
        check.optionalText('id', id),
      ),
    );
  }

  /** Commits the removal of members; pending until it comes back. @throws `pending-commit` */
  removeMembers(groupId: Uint8Array, leafIndexes: readonly number[], id?: string): Promise<OutboxEntry> {
    return this.#send((client) =>
      client.removeMembers(
        check.bytes('groupId', groupId),
        check.listOfLeafIndexes('leafIndexes', leafIndexes),
        check.optionalText('id', id),
      ),
    );
  }

  /** Commits new keys for this client's leaf (RFC 9420 §12.1.2); pending until it comes back. @throws `pending-commit` */
  selfUpdate(groupId: Uint8Array, id?: string): Promise<OutboxEntry> {
    return this.#send((client) =>
      client.selfUpdate(check.bytes('groupId', groupId), check.optionalText('id', id)),
    );
  }

  /** Commits the proposals of others; needed before the next message. @throws `pending-commit` */
  commitPendingProposals(groupId: Uint8Array, id?: string): Promise<OutboxEntry> {
    return this.#send((client) =>
      client.commitPendingProposals(check.bytes('groupId', groupId), check.optionalText('id', id)),
    );
  }

  /** Proposes to leave; another member's commit completes it. */
  leaveGroup(groupId: Uint8Array, id?: string): Promise<OutboxEntry> {
    return this.#send((client) =>
      client.leaveGroup(check.bytes('groupId', groupId), check.optionalText('id', id)),
    );
  }

  /** All entries that the delivery service has not answered yet, in order. All durable: safe to upload. */
  outbox(): Promise<OutboxEntry[]> {
    return this.#change((client) => client.outbox());
  }

  /** The delivery service has accepted this message or proposal. */
  acknowledgeOutbox(id: string): Promise<void> {
    return this.#change((client) => client.acknowledgeOutbox(check.text('id', id)));
  }

  /** Encrypts a message of a past epoch anew, in the current one, under the same id. */
  renewOutbox(id: string): Promise<OutboxEntry> {
    return this.#send((client) => client.renewOutbox(check.text('id', id)));
  }

  /** The delivery service has refused this commit: the group goes on without it. Never call it after a time-out. */
  rejectCommit(id: string): Promise<void> {
    return this.#change((client) => client.rejectCommit(check.text('id', id)));
  }

  // --- receiving, with an inbox (promise G10) -----------------------------------------------------------------------

  /**
   * Processes an entry of a group's log. Settles with the item that is now in the inbox; undefined for a duplicate or
   * the echo of an own message.
   *
   * Before the client is open: settles with undefined once the entry is in the durable queue; its item comes with the
   * event `inbox`.
   * @throws `group-not-found`; `position-gap`: hand in what lies between, from {@link deliveryCursor} on. An entry that
   * can never be read is an item of kind `failed` instead
   */
  receiveMessage(message: IncomingMessage): Promise<InboxItem | undefined> {
    return (
      this.#session.enqueue(() => ({ kind: 'message', attempts: 0, message: check.incomingMessage(message) })) ??
      this.#receive((client) => client.receiveMessage(check.incomingMessage(message)))
    );
  }

  /**
   * Joins a group; settles as {@link receiveMessage} does.
   * @throws `group-exists` while this client is in the group: hand it in again after the removal; `stale-welcome`: it
   * leads to an epoch that this client was already in or past; `position-gap`, see {@link welcomeCursor}
   */
  receiveWelcome(welcome: IncomingWelcome): Promise<InboxItem | undefined> {
    return (
      this.#session.enqueue(() => ({ kind: 'welcome', attempts: 0, message: check.incomingWelcome(welcome) })) ??
      this.#receive((client) => client.receiveWelcome(check.incomingWelcome(welcome)))
    );
  }

  /**
   * Passes over a Welcome that {@link receiveWelcome} keeps refusing with `group-exists` although the group's log has
   * been read to its end: nobody removed this client, so the Welcome is not for the group it names.
   * @throws `position-gap`
   */
  skipWelcome(position: number): Promise<void> {
    return this.#change((client) => client.skipWelcome(check.integer('position', position, Number.MAX_SAFE_INTEGER)));
  }

  /** All items that the app has not acknowledged, in order, under the same ids after every restart. */
  inbox(): Promise<InboxItem[]> {
    return this.#change((client) => client.inbox());
  }

  /** The app has these items and needs them no more. */
  acknowledgeInbox(ids: readonly string[]): Promise<void> {
    return this.#change((client) => client.acknowledgeInbox(check.listOfText('ids', ids)));
  }

  /** Position of the last processed entry of the group's log: ask the delivery service for what comes after it. */
  deliveryCursor(groupId: Uint8Array): Promise<number | undefined> {
    return this.#change((client) => client.deliveryCursor(check.bytes('groupId', groupId)));
  }

  /** Position of the last processed Welcome. */
  welcomeCursor(): Promise<number | undefined> {
    return this.#change((client) => client.welcomeCursor());
  }

  // ------------------------------------------------------------------------------------------------------------------

  /**
   * Runs an operation whose result must rest on durable state. Also used for queries whose answer leaves the device or
   * makes the delivery service forget something: what they tell may be a change that is not durable yet.
   */
  #change<T>(operation: (client: MlsClientApi) => T): Promise<T> {
    return this.#session.withLoop((loop) => loop.run(operation));
  }

  #read<T>(operation: (client: MlsClientApi) => T): Promise<T> {
    return this.#session.withLoop((loop) => loop.read(operation));
  }

  async #send(operation: (client: MlsClientApi) => OutboxEntry): Promise<OutboxEntry> {
    const entry = await this.#change(operation);
    this.#session.events.emit('outbox', { entries: [entry] });
    return entry;
  }

  async #receive(operation: (client: MlsClientApi) => InboxItem | undefined): Promise<InboxItem | undefined> {
    return this.#announce(await this.#change(operation));
  }

  #announce(item: InboxItem | undefined): InboxItem | undefined {
    if (item !== undefined) {
      this.#session.events.emit('inbox', { items: [item] });
    }
    return item;
  }

  /** How an entry of the durable queue is processed: its end is part of the transaction of its effect. */
  #processEntry(loop: WriteBehind): ProcessEntry {
    return async (entry, key) =>
      this.#announce(
        await loop.run(
          (client) =>
            entry.kind === 'message' ? client.receiveMessage(entry.message) : client.receiveWelcome(entry.message),
          key,
        ),
      );
  }
}
