/**
 * Errors that a `CoreCryptoClient` rejects with.
 *
 * Every one has a `code` to act on and a message that says what happened, to what, and what to do. Neither ever holds a
 * key, a plaintext or a record's value.
 */

/** The outcomes that are decided outside wasm. */
export const CLIENT_ERROR_CODES = [
  /** Another tab or client has this database open. Close it, or try again later. */
  'already-open',
  /** Another client has taken the database over; this one can do nothing any more. */
  'writer-lost',
  /** The database was written by a newer version of openmls-wasm and has been left as it was. */
  'newer-format',
  /** A record cannot be read; `category` and `key` name it. Everything has been left as it was. */
  'damaged-record',
  /** There is no database of that name (any more): never created, deleted, or evicted by the browser. */
  'database-missing',
  /** The database could not be written; what the call did has been taken back. */
  'storage-failed',
  /**
   * The client was closed, or taken over, before the database could tell whether it holds what the call did. The effect
   * may be stored: `inbox()` and `outbox()` tell after the next open. Repeat the call only after looking there.
   */
  'outcome-unknown',
  /** wasm panicked; the client has started anew from what was saved. The call has had no effect. */
  'engine-panicked',
  /** The client has been closed. */
  'closed',
  /** IndexedDB is not there or will not open. */
  'indexeddb-unavailable',
  /** Web Locks are not there: they need a secure context (https or localhost). */
  'locks-unavailable',
  /** The wasm file could not be loaded or instantiated. */
  'wasm-unavailable',
  /** An argument has the wrong type. */
  'invalid-argument',
] as const;

/** Codes decided outside wasm. */
export type ClientErrorCode = (typeof CLIENT_ERROR_CODES)[number];

/** Codes of `MlsClient`, passed through as they are. */
export const MLS_ERROR_CODES = [
  'identity-exists',
  'no-identity',
  'signature-key-missing',
  'unsupported-ciphersuite',
  'reserved-label',
  'invalid-key-package',
  /** No key package of that reference is stored here. */
  'unknown-key-package',
  'unknown-member',
  'cannot-remove-self',
  'group-not-found',
  'group-exists',
  'group-inactive',
  'leave-pending',
  'pending-commit',
  'no-pending-commit',
  'pending-proposals',
  'nothing-to-commit',
  'commit-rejected',
  'malformed-message',
  'wrong-kind',
  'past-epoch',
  'future-epoch',
  /** An entry was handed in before the one that comes before it: fetch what lies between. */
  'position-gap',
  'duplicate-message',
  'too-far-out-of-order',
  'undecryptable',
  'invalid-message',
  'no-matching-key-package',
  'invalid-welcome',
  /** A Welcome for an epoch that is not newer than one this client was already in. */
  'stale-welcome',
  /** A credential is not one that the client can use (RFC 9420 §5.3). */
  'invalid-credential',
  /** The app rejected a credential. */
  'credential-rejected',
  /** The Welcome is for a key package of this client that had expired and was purged. */
  'key-package-expired',
  /** The Welcome is for a key package of this client that another Welcome has used up. */
  'key-package-used',
  /** The Welcome is for a key package of another client of this user. */
  'key-package-of-other-client',
  /** No pending proposal has that reference. */
  'unknown-proposal',
  /** A proposal that was asked for would not be valid (RFC 9420 §12.1). */
  'proposal-rejected',
  /** A pre-shared key that is asked for is not stored here. */
  'unknown-psk',
  /** The group has moved on since the message was inspected. */
  'epoch-changed',
  /** A group info is not valid (RFC 9420 §12.4.3). */
  'invalid-group-info',
  /** Neither the message nor the caller brings the ratchet tree (RFC 9420 §12.4.3.3). */
  'ratchet-tree-missing',
  /** More messages of epochs that were not reached yet are kept than the settings allow. */
  'too-many-early-messages',
  'unknown-outbox-entry',
  'duplicate-id',
  'unknown-category',
  'malformed-key',
  'unsupported-format',
  'hydrate-conflict',
  'batch-unconfirmed',
  'unknown-batch',
  'storage',
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
  override readonly name = 'CoreCryptoError';
  readonly code: CoreCryptoErrorCode;
  readonly category: string | undefined;
  readonly key: string | undefined;

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
}

/** Whether `error` is a refusal by `MlsClient`. Anything else it throws is a panic. */
export function isMlsError(error: unknown): error is MlsError {
  return error instanceof Error && error.name === 'MlsError' && 'code' in error && typeof error.code === 'string';
}

/** The same refusal as the package's own error class. */
export function fromMlsError(error: MlsError): CoreCryptoError {
  return new CoreCryptoError(error.code, error.message, { cause: error });
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
