/** What `openmls-wasm` and `openmls-wasm/pq` have in common: everything but the build of the wasm. */

export { BuildEngineHost, WasmBuild, type Engine, type EngineHost, type WasmSource } from './engine.js';
export {
  CLIENT_ERROR_CODES,
  CoreCryptoError,
  MLS_ERROR_CODES,
  type ClientErrorCode,
  type CoreCryptoErrorCode,
  type CoreCryptoErrorDetails,
  type MlsErrorCode,
} from './errors.js';
export type {
  CoreCryptoEvents,
  EngineRestartedEvent,
  InboxEvent,
  IncomingFailedEvent,
  OutboxEvent,
  RolledBackEvent,
  SavedEvent,
  StorageErrorEvent,
  StorageRecoveredEvent,
  WriterLostEvent,
} from './events.js';
export { IndexedDbPersister, type IndexedDbPersisterOptions } from './indexeddb-persister.js';
export type * from './mls-types.js';
export type { CoreCryptoOptions } from './options.js';
export {
  PersisterError,
  type DatabaseOrigin,
  type IncomingAttempts,
  type IncomingEntry,
  type IncomingMessageEntry,
  type IncomingWelcomeEntry,
  type Persister,
  type PersisterFailure,
  type PersisterSchema,
  type StoredIncoming,
  type WriteBatch,
} from './persister.js';
export type { RetryPolicy } from './retry.js';
export type { ClientState } from './session.js';
export { requestWebLock, type RequestWriter, type WriterLock } from './writer-lock.js';
