/**
 * What crosses the boundary between wasm and TypeScript.
 *
 * All bytes are `Uint8Array`. An epoch is a `bigint` (64 bits, RFC 9420 §12.1); leaf indexes, positions of the delivery
 * service and sequence numbers are `number`. Names are those of RFC 9420.
 */

/** One change of the store: a record put, or, with `value: null`, deleted. */
export interface StorageEvent {
  readonly category: string;
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** One stored record. Its key is unique in its category. */
export interface StorageRecord {
  readonly category: string;
  readonly key: string;
  readonly value: Uint8Array;
}

/** The changes that must reach the database in one transaction, or not at all (promise G2). */
export interface StorageBatch {
  readonly sequence: number;
  readonly events: readonly StorageEvent[];
}

/** Which records a category holds: those of the client itself, or those of groups (keys begin with the group id). */
export type CategoryScope = 'client' | 'group';

/** A kind of record; it has an object store of the same name. */
export interface Category {
  readonly name: string;
  readonly scope: CategoryScope;
}

/** The client's own identity: what its credential and leaf nodes say (RFC 9420 §5.3). */
export interface Identity {
  /** The identity of the basic credential, as given to `createIdentity`. */
  readonly identity: Uint8Array;
  readonly signaturePublicKey: Uint8Array;
  /** RFC 9420 §17.1, e.g. 1 for MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519. */
  readonly ciphersuite: number;
}

/** A member of a group, or a client that was added or removed. */
export interface MemberIdentity {
  readonly identity: Uint8Array;
  readonly signatureKey: Uint8Array;
}

/** A member at its leaf of the ratchet tree (RFC 9420 §7). */
export interface Member extends MemberIdentity {
  readonly leafIndex: number;
}

/** A key package of this client that is still unused. */
export interface KeyPackageInfo {
  /** KeyPackageRef (RFC 9420 §5.2). */
  readonly reference: Uint8Array;
  /** Whether it may be used more than once (RFC 9420 §16.8). */
  readonly lastResort: boolean;
  /** Seconds since the Unix epoch. */
  readonly notBefore: bigint;
  /** Seconds since the Unix epoch. */
  readonly notAfter: bigint;
}

/** A group as this client sees it now. */
export interface GroupInfo {
  readonly groupId: Uint8Array;
  readonly epoch: bigint;
  /** RFC 9420 §8.7: equal in two members if, and only if, they agree on the group's whole state. */
  readonly epochAuthenticator: Uint8Array;
  readonly ownLeafIndex: number;
  /** False after this client was removed or has left. */
  readonly isActive: boolean;
  readonly hasPendingCommit: boolean;
  readonly pendingProposals: number;
  readonly members: readonly Member[];
}

/** A message, proposal or commit on its way to the delivery service. Stays until that has answered (promise G10). */
export interface OutboxEntry {
  readonly id: string;
  /** Order of creation. */
  readonly sequence: number;
  readonly kind: 'message' | 'proposal' | 'commit';
  readonly groupId: Uint8Array;
  /** The epoch `bytes` belong to. */
  readonly epoch: bigint;
  /** What to upload, always the same under one id and epoch; null until a pending proposal has been committed. */
  readonly bytes: Uint8Array | null;
  /** Of a message: what is sent. */
  readonly plaintext?: Uint8Array;
  /** Of a commit that adds members: the Welcome for them (RFC 9420 §12.4.3.1). */
  readonly welcome?: Uint8Array;
  readonly added: readonly MemberIdentity[];
  readonly removed: readonly MemberIdentity[];
}

/** What all items of the inbox have. */
export interface InboxItemBase {
  /** The id of the delivery service's entry, or one made from it: the same at every delivery. */
  readonly id: string;
  /** Order of arrival. */
  readonly sequence: number;
  readonly groupId: Uint8Array;
  /** Position in the delivery service's log, where there is one. */
  readonly position?: number;
}

/** An application message of another member. */
export interface MessageItem extends InboxItemBase {
  readonly kind: 'message';
  readonly sender: Member;
  readonly epoch: bigint;
  readonly plaintext: Uint8Array;
  readonly authenticatedData: Uint8Array;
}

/** A message of this client, as sent. */
export interface SentItem extends InboxItemBase {
  readonly kind: 'sent';
  readonly epoch: bigint;
  readonly plaintext: Uint8Array;
}

/** A proposal of another member, now pending (RFC 9420 §12.1). */
export interface ProposalItem extends InboxItemBase {
  readonly kind: 'proposal';
  readonly sender: Member;
  readonly epoch: bigint;
}

/** A commit that has been merged; `epoch` is the new one. */
export interface CommitItem extends InboxItemBase {
  readonly kind: 'commit';
  /** Whether it is this client's own, come back from the delivery service. */
  readonly own: boolean;
  /** Undefined for an external commit. */
  readonly sender?: Member | undefined;
  readonly epoch: bigint;
  readonly added: readonly MemberIdentity[];
  readonly removed: readonly Member[];
  /** This client is no longer a member. */
  readonly selfRemoved: boolean;
  /** Id of the own commit that lost against this one. */
  readonly superseded?: string | undefined;
}

/** A group joined by a Welcome. */
export interface JoinedItem extends InboxItemBase {
  readonly kind: 'joined';
  readonly epoch: bigint;
}

/** An entry that can never be processed; the cursor has moved past it. */
export interface FailedItem extends InboxItemBase {
  readonly kind: 'failed';
  readonly code: string;
}

/** What the client hands over to the app until the app acknowledges it (promise G10). */
export type InboxItem = MessageItem | SentItem | ProposalItem | CommitItem | JoinedItem | FailedItem;

/** An inbox item before it has an id and a place: what `processMessage` returns. */
export type Processed = InboxItem extends infer Item
  ? Item extends InboxItem
    ? Omit<Item, 'id' | 'sequence' | 'position'>
    : never
  : never;

/** A message as the delivery service gives it. */
export interface IncomingMessage {
  /** A framed MLSMessage (RFC 9420 §6). */
  readonly bytes: Uint8Array;
  /** The delivery service's id of the entry. */
  readonly id?: string | undefined;
  /**
   * Its position in the group's log: what makes a repeated delivery harmless, and a missing one visible.
   *
   * Without gaps: the first entry is at 1 for a group created here, and the one after `groupPosition` for a group joined.
   * (Joined without `groupPosition`, the first entry may be anywhere.) An entry that leaves a gap is refused with
   * `position-gap`; one at a position already processed is a duplicate.
   */
  readonly position?: number | undefined;
}

/** A Welcome as the delivery service gives it. Its `position` is in the log of this client's Welcomes, the first at 1. */
export interface IncomingWelcome extends IncomingMessage {
  /** Position, in the group's log, of the commit that added this client. */
  readonly groupPosition?: number | undefined;
}

/**
 * The synchronous client in wasm.
 *
 * Every method either returns, or throws an `Error` named `MlsError` with a `code` and has then changed nothing.
 * Anything else that is thrown is a panic: the instance is poisoned and must be discarded.
 */
export interface MlsClientApi {
  drainStorageEvents(): StorageBatch | undefined;
  confirmBatch(sequence: number): void;
  /** The next batch then has every key of this one, whatever has become of the values; `countDurable` rests on it. */
  putBackBatch(sequence: number): void;
  rollBackUnconfirmed(): void;
  hasUnconfirmed(): boolean;
  isDirty(): boolean;
  hydrate(records: readonly StorageRecord[]): void;

  createIdentity(identity: Uint8Array, ciphersuite?: number): Identity;
  identity(): Identity | undefined;
  signWithLabel(label: string, content: Uint8Array): Uint8Array;
  generateKeyPackages(count: number): Uint8Array[];
  generateLastResortKeyPackage(): Uint8Array;
  keyPackages(): KeyPackageInfo[];
  /** All or none. @throws `unknown-key-package` */
  deleteKeyPackages(references: readonly Uint8Array[]): void;

  createGroup(groupId?: Uint8Array): Uint8Array;
  listGroups(): Uint8Array[];
  groupInfo(groupId: Uint8Array): GroupInfo;
  deleteGroup(groupId: Uint8Array): void;

  encryptMessage(groupId: Uint8Array, plaintext: Uint8Array): Uint8Array;
  processMessage(bytes: Uint8Array): Processed;
  joinGroup(welcome: Uint8Array): Uint8Array;
  mergePendingCommit(groupId: Uint8Array): void;
  clearPendingCommit(groupId: Uint8Array): void;

  sendMessage(groupId: Uint8Array, plaintext: Uint8Array, id?: string): OutboxEntry;
  addMembers(groupId: Uint8Array, keyPackages: readonly Uint8Array[], id?: string): OutboxEntry;
  removeMembers(groupId: Uint8Array, leafIndexes: readonly number[], id?: string): OutboxEntry;
  selfUpdate(groupId: Uint8Array, id?: string): OutboxEntry;
  commitPendingProposals(groupId: Uint8Array, id?: string): OutboxEntry;
  leaveGroup(groupId: Uint8Array, id?: string): OutboxEntry;
  outbox(): OutboxEntry[];
  acknowledgeOutbox(id: string): void;
  renewOutbox(id: string): OutboxEntry;
  rejectCommit(id: string): void;

  /** @throws `group-not-found`, `position-gap` */
  receiveMessage(message: IncomingMessage): InboxItem | undefined;
  /** @throws `group-exists` while this client is in the group, `stale-welcome`, `position-gap` */
  receiveWelcome(welcome: IncomingWelcome): InboxItem | undefined;
  inbox(): InboxItem[];
  acknowledgeInbox(ids: readonly string[]): void;
  deliveryCursor(groupId: Uint8Array): number | undefined;
  /** Passes over a Welcome refused with `group-exists` although the group's log was read to its end. */
  skipWelcome(position: number): void;
  welcomeCursor(): number | undefined;

  /** Every record in memory, secrets included. Only in builds with the feature `test-hooks`. */
  records?(): StorageRecord[];
  /** Only in builds with the feature `test-hooks`. */
  panicForTest?(): void;
}
