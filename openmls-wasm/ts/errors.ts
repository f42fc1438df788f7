/**
 * Errors that a `CoreCryptoClient` rejects with.
 *
 * Every one has a `code` to act on and a message that says what happened, to what, and what to do. Neither ever holds a
 * key, a plaintext or a record's value.
 */

/**
 * The outcomes that are decided outside wasm. The comment of each code is a row of the error table (`npm run docs`): what
 * it means; `State:` only if the call may have changed something; `Next:` what the app does.
 */
export const CLIENT_ERROR_CODES = [
  /**
   * Another tab or client has this database open.
   * Next: close that one, or tell the user and open again later.
   */
  'already-open',
  /**
   * Another client has taken the database over; this one can do nothing any more.
   * Next: close it; open a new one where the user is.
   */
  'writer-lost',
  /**
   * The database was written by a newer version of openmls-wasm; it has been left as it was.
   * Next: update the app (reload the page); never delete the database.
   */
  'newer-format',
  /**
   * A record cannot be read; `category` and `key` name it. The database has been left as it was.
   * Next: tell the user. Of a group: `quarantineGroup`, then join it anew. Of the client itself: open with `quarantineDamaged`,
   * or restore a snapshot.
   */
  'damaged-record',
  /**
   * The database is sealed, and locked: it was opened without `vault`, or `lock` was called.
   * Next: ask the user for what unlocks it, and open with `vault.unlock`, or call `unlock`.
   */
  'vault-locked',
  /**
   * What was handed in does not unlock the vault, or does not open the snapshot: another passphrase, key or passkey.
   * Next: ask again.
   */
  'unlock-failed',
  /**
   * The database is in the clear, and was opened with `vault`; or there is no vault to change.
   * Next: seal it by `sealDatabase`, or open it without.
   */
  'not-sealed',
  /**
   * The browser cannot keep a `CryptoKey`, which unlocking without a secret needs (a private window of some browsers).
   * Next: use a passphrase, a passkey or a key of the app's.
   */
  'key-storage-unavailable',
  /**
   * The browser or the authenticator has no passkey with the PRF extension, or the user declined.
   * Next: offer a passphrase.
   */
  'passkey-unavailable',
  /**
   * The file is no snapshot, or not as it was written: cut short, or altered. Nothing was imported of it.
   * Next: fetch or choose the file again; take an older snapshot.
   */
  'snapshot-damaged',
  /**
   * There is a database of that name with something in it; it has been left as it was.
   * Next: restore under another name, or with `replace` if what is there may go.
   */
  'database-exists',
  /**
   * Restoring the database was interrupted; what there is of it is not whole, and is not opened.
   * Next: call `restoreDatabase` again with the same file.
   */
  'restore-unfinished',
  /**
   * There is no database of that name (any more): never created, deleted, or evicted by the browser.
   * Next: if this user had a client here, say that it is lost; create a new one by opening without `mustExist`.
   */
  'database-missing',
  /**
   * The database could not be written, in spite of repetitions; what the call did has been taken back.
   * Next: free space or wait, then repeat the call.
   */
  'storage-failed',
  /**
   * The client was closed, or taken over, before the database could tell whether it holds what the call did.
   * State: **perhaps**: all of the call, or nothing of it.
   * Next: open again and look into `inbox()`, `outbox()` and the group; repeat the call only if its effect is not
   * there.
   */
  'outcome-unknown',
  /**
   * wasm panicked; the client has started anew from what was saved.
   * Next: repeat the call once; if it panics again, report a bug and leave out what caused it.
   */
  'engine-panicked',
  /**
   * The worker of a client that is to live in one could not be started.
   * Next: check that the worker's file is served, and that the Content Security Policy allows it (`worker-src`).
   */
  'worker-failed',
  /**
   * The client has been closed.
   * Next: open a new one.
   */
  'closed',
  /**
   * IndexedDB is not there or will not open (private mode of some browsers, a policy, a broken profile).
   * Next: tell the user that nothing can be kept in this browser; try again later or elsewhere.
   */
  'indexeddb-unavailable',
  /**
   * Web Locks are not there, or the browser refused one.
   * Next: serve the page from https or localhost.
   */
  'locks-unavailable',
  /**
   * The wasm file could not be loaded or instantiated.
   * Next: check that the file is served and that the Content Security Policy allows `wasm-unsafe-eval`; when offline,
   * try again later.
   */
  'wasm-unavailable',
  /**
   * An argument has the wrong type or is out of its range; the message names it.
   * Next: correct the call.
   */
  'invalid-argument',
  /**
   * The app's `validateCredential` threw or rejected instead of answering; `cause` is its error.
   * Next: mend that (go online), then repeat the call or hand the message in again. What was in the durable queue is
   * still there, and the next open asks again.
   */
  'validator-failed',
] as const;

/** Codes decided outside wasm. */
export type ClientErrorCode = (typeof CLIENT_ERROR_CODES)[number];

/** Codes of `MlsClient`, passed through as they are. The call was refused and has changed nothing. */
export const MLS_ERROR_CODES = [
  /**
   * The client has an identity already.
   * Next: use it; a second identity needs a database of its own.
   */
  'identity-exists',
  /**
   * The client has no identity yet.
   * Next: create or restore one first.
   */
  'no-identity',
  /**
   * The identity is stored without its private key.
   * Next: the database has lost records: treat it as a damaged one.
   */
  'signature-key-missing',
  /**
   * This build does not implement the ciphersuite (RFC 9420 §17.1).
   * Next: choose another, or the build that has it.
   */
  'unsupported-ciphersuite',
  /**
   * MLS itself signs under that label (RFC 9420 §5.1.2).
   * Next: choose a label of your own.
   */
  'reserved-label',
  /**
   * A key package does not parse, is wrongly signed or has expired (RFC 9420 §10.1).
   * Next: fetch another one of that client.
   */
  'invalid-key-package',
  /**
   * No key package of that reference is stored here.
   * Next: list the key packages again: it was used or deleted.
   */
  'unknown-key-package',
  /**
   * The group has no member at that leaf index.
   * Next: look at the members of the present epoch again.
   */
  'unknown-member',
  /**
   * A member cannot commit its own removal (RFC 9420 §12.2).
   * Next: propose to leave; another member commits that.
   */
  'cannot-remove-self',
  /**
   * No group of that id is stored here.
   * Next: join it first; of an incoming message, wait for the Welcome.
   */
  'group-not-found',
  /**
   * The group is known from a snapshot only, without its keys: it is in lists, and can be deleted.
   * Next: join it anew by `joinByExternalCommit`, with a group info of a member or of the delivery service.
   */
  'group-inert',
  /**
   * The snapshot is of another identity than this client has.
   * Next: import it into a client that has no identity yet, under a name of its own.
   */
  'identity-conflict',
  /**
   * This database was moved to another browser by a full export, or is about to be: it can be read, and changes no more, because
   * two that go on with the same keys would use them twice.
   * Next: go on in the other browser. If the file was lost, export once more.
   */
  'moved-away',
  /**
   * A group of that id is stored here, and this client is in it.
   * Next: for a new group choose another id; for a Welcome, process the removal in the group's log first, or delete the
   * group.
   */
  'group-exists',
  /**
   * This client was removed from the group.
   * Next: show it as left; to write again, be added again.
   */
  'group-inactive',
  /**
   * This client has proposed to leave, in this epoch.
   * Next: wait for the commit of another member.
   */
  'leave-pending',
  /**
   * A commit of this client waits for its answer.
   * Next: wait for the delivery service: the commit is merged when it comes back, or rejected.
   */
  'pending-commit',
  /**
   * No commit of this client is pending.
   * Next: nothing: it was merged or cleared before.
   */
  'no-pending-commit',
  /**
   * Proposals wait, and a message may be sent only after their commit (RFC 9420 §12.4).
   * Next: commit them; `sendMessage` waits for that by itself.
   */
  'pending-proposals',
  /**
   * There are no proposals to commit.
   * Next: nothing.
   */
  'nothing-to-commit',
  /**
   * The commit that was asked for would not be valid (RFC 9420 §12.2).
   * Next: look at its parts: a client that is a member already, proposals that exclude each other, an extension that a
   * member does not support.
   */
  'commit-rejected',
  /**
   * The bytes are not what they should be: an MLSMessage (RFC 9420 §6), or a ratchet tree.
   * Next: drop them.
   */
  'malformed-message',
  /**
   * The message, or the outbox entry, is of a kind that does not belong here.
   * Next: hand it to the method for its kind.
   */
  'wrong-kind',
  /**
   * The message belongs to an epoch that is over and whose keys are gone.
   * Next: drop it; its sender sends it anew when the delivery service refuses it.
   */
  'past-epoch',
  /**
   * The message belongs to an epoch that this client has not reached.
   * Next: fetch and process what lies between, then hand it in again.
   */
  'future-epoch',
  /**
   * An entry was handed in before the one that comes before it.
   * Next: fetch what lies between, from the cursor on.
   */
  'position-gap',
  /**
   * The keys of this message were used already: it was processed before, or is forged.
   * Next: drop it.
   */
  'duplicate-message',
  /**
   * Too many messages of that sender are missing before this one, or it is too late for the ratchet settings.
   * Next: drop it, or open groups with a larger tolerance.
   */
  'too-far-out-of-order',
  /**
   * The message does not decrypt: altered, or not for this group.
   * Next: drop it.
   */
  'undecryptable',
  /**
   * The message decrypts or parses, but is not valid (RFC 9420 §6, §12); the text says why.
   * Next: drop it; if it is the commit that everybody else has accepted, the group has forked: recover it.
   */
  'invalid-message',
  /**
   * The Welcome is for a key package that this client never had.
   * Next: drop it, and see who sent it here.
   */
  'no-matching-key-package',
  /**
   * The Welcome is not valid (RFC 9420 §12.4.3.1); the text says why.
   * Next: drop it; ask to be added again.
   */
  'invalid-welcome',
  /**
   * The Welcome leads to an epoch that is not newer than one this client was already in.
   * Next: drop it.
   */
  'stale-welcome',
  /**
   * A credential is not one that the client can use (RFC 9420 §5.3).
   * Next: correct it: not empty, a certificate chain whose first key is the signature key.
   */
  'invalid-credential',
  /**
   * The app's validator rejected a credential.
   * Next: nothing: the group is as it was; drop the message, or let the user decide and process it again.
   */
  'credential-rejected',
  /**
   * The Welcome is for a key package of this client that had expired and was purged.
   * Next: publish fresh key packages; ask to be added again.
   */
  'key-package-expired',
  /**
   * The Welcome is for a key package of this client that another Welcome has used up.
   * Next: publish fresh key packages; ask to be added again. The delivery service must give each out once.
   */
  'key-package-used',
  /**
   * The Welcome is for a key package of another client of this user.
   * Next: drop it: that client joins by it.
   */
  'key-package-of-other-client',
  /**
   * No pending proposal has that reference.
   * Next: list the pending proposals again: a commit has ended it.
   */
  'unknown-proposal',
  /**
   * The proposal that was asked for would not be valid (RFC 9420 §12.1); the text says why.
   * Next: correct the call.
   */
  'proposal-rejected',
  /**
   * A pre-shared key that is asked for is not stored here (RFC 9420 §8.4).
   * Next: store it, then repeat the call or hand the message in again. A resumption PSK is kept as long as the settings
   * say and cannot be got back: join the group anew.
   */
  'unknown-psk',
  /**
   * The group has moved on since the message was inspected.
   * Next: inspect it again.
   */
  'epoch-changed',
  /**
   * The delivery service has seen a newer state of this client in the group than this one: the database was put back. What
   * sends would use keys again that are used up.
   * Next: join the group anew by `joinByExternalCommit`.
   */
  'rolled-back-state',
  /**
   * A group info is not valid (RFC 9420 §12.4.3); the text says why.
   * Next: fetch a fresh one of a member.
   */
  'invalid-group-info',
  /**
   * Neither the message nor the caller brings the ratchet tree (RFC 9420 §12.4.3.3).
   * Next: fetch the tree and hand it in.
   */
  'ratchet-tree-missing',
  /**
   * The secret of that component was derived in this epoch already, and deleted from it by that.
   * Next: use the one that was derived, or wait for the next epoch.
   */
  'secret-consumed',
  /**
   * More messages of epochs that were not reached yet are kept than the settings allow.
   * Next: fetch what lies between, then hand this one in again.
   */
  'too-many-early-messages',
  /**
   * No outbox entry has that id.
   * Next: nothing: it was acknowledged, rejected or received before.
   */
  'unknown-outbox-entry',
  /**
   * An outbox entry or inbox item has that id already.
   * Next: choose an id that was never used, or look into the outbox: the call may have succeeded before.
   */
  'duplicate-id',
  /**
   * A stored record names an object store that this version does not know.
   * Next: as for `newer-format`.
   */
  'unknown-category',
  /**
   * A stored record has a key that is none.
   * Next: as for `damaged-record`.
   */
  'malformed-key',
  /**
   * The records of a group are not as this client left them: one is missing, or is older or newer than the others, or all of
   * them were put back or taken away. The message names the group (its id in hex). It has been left as it was; all other
   * groups work.
   * Next: tell the user; `quarantineGroup`, then join it anew, by external commit or by a Welcome.
   */
  'damaged-group',
  /**
   * What the call needs is not in memory.
   * Next: nothing: `CoreCryptoClient` loads it and makes the call again. Users of `MlsClient` do the same.
   */
  'not-loaded',
  /**
   * A stored record has a format that this version cannot read.
   * Next: as for `newer-format`.
   */
  'unsupported-format',
  /**
   * A record to load differs from what memory holds; memory is newer.
   * Next: nothing: `CoreCryptoClient` never loads over newer state. Users of `MlsClient` load once, before anything
   * else.
   */
  'hydrate-conflict',
  /**
   * A batch was drained and has been neither confirmed nor put back.
   * Next: nothing: `CoreCryptoClient` keeps to this. Users of `MlsClient` answer each batch.
   */
  'batch-unconfirmed',
  /**
   * No batch of that number waits for an answer.
   * Next: as for `batch-unconfirmed`.
   */
  'unknown-batch',
  /**
   * The store in memory failed: a value that cannot be encoded, or a call into the middle of another.
   * Next: report a bug.
   */
  'storage',
  /**
   * A bug in this library or in OpenMLS, or records that do not belong together; the text says where.
   * Next: report it; repeat the call only if it makes sense without.
   */
  'internal',
] as const;

/** Codes of `MlsClient`. */
export type MlsErrorCode = (typeof MLS_ERROR_CODES)[number];

/** Every code a `CoreCryptoError` can have. */
export type CoreCryptoErrorCode = ClientErrorCode | MlsErrorCode;

/** What else an error can say. */
export interface CoreCryptoErrorDetails {
  /** What led to it. */
  readonly cause?: unknown;
  /** Of a damaged record: its category (object store). */
  readonly category?: string | undefined;
  /** Of a damaged record: its key. Never its value. */
  readonly key?: string | undefined;
}

/** The one error class of this package. */
export class CoreCryptoError extends Error {
  /** Always `CoreCryptoError`. */
  override readonly name = 'CoreCryptoError';
  /** What happened, for the app to act on: see the error table. */
  readonly code: CoreCryptoErrorCode;
  /** Of a damaged record: its category (object store). */
  readonly category: string | undefined;
  /** Of a damaged record: its key. Never its value. */
  readonly key: string | undefined;

  /** @param message what happened, to what, and what to do; never a secret */
  constructor(code: CoreCryptoErrorCode, message: string, details: CoreCryptoErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.category = details.category;
    this.key = details.key;
  }
}

/** An error of `MlsClient`: the call was refused and has changed nothing. */
export interface MlsError extends Error {
  readonly code: CoreCryptoErrorCode;
  /** Of a record that cannot be read: its category. */
  readonly category?: string;
  /** Of a record that cannot be read: its key. */
  readonly key?: string;
}

/** Whether `error` is a refusal by `MlsClient`. Anything else it throws is a panic. */
export function isMlsError(error: unknown): error is MlsError {
  return error instanceof Error && error.name === 'MlsError' && 'code' in error && typeof error.code === 'string';
}

/** The same refusal as the package's own error class. */
export function fromMlsError(error: MlsError): CoreCryptoError {
  const { code, message, category, key } = error;
  return new CoreCryptoError(code, message, { cause: error, category, key });
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
