/** What `openmls-wasm` and `openmls-wasm/pq` have in common: everything but the build of the wasm. */

export type { DamagedGroup } from './client/damage.js';
export { databaseState, type DatabaseReport, type DatabaseState } from './database-state.js';
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
  QuarantinedEvent,
  RolledBackEvent,
  SavedEvent,
  StorageErrorEvent,
  StorageRecoveredEvent,
  WriterLostEvent,
} from './events.js';
export { IndexedDbPersister, type IndexedDbPersisterOptions } from './indexeddb-persister.js';
export type * from './mls-types.js';
export type { CoreCryptoOptions, VaultOptions } from './options.js';
export {
  PersisterError,
  type ClientDatabase,
  type DatabaseOrigin,
  type IncomingAttempts,
  type IncomingEntry,
  type IncomingMessageEntry,
  type IncomingWelcomeEntry,
  type Persister,
  type PersisterFailure,
  type PersisterSchema,
  type QuarantinedRecord,
  type QueueEntry,
  type Replacement,
  type SealedIncomingEntry,
  type StoredIncoming,
  type StoredQuarantine,
  type WriteBatch,
} from './persister.js';
export type { RetryPolicy } from './retry.js';
export type { ClientState } from './client-state.js';
export type { ExportOptions, ImportOptions } from './client/snapshots.js';
export { inspectSnapshot } from './snapshot/inspect.js';
export { SnapshotSchedule, type ScheduleOptions } from './snapshot/schedule.js';
export { downloadSink, opfsSink, type SnapshotSink } from './snapshot/sinks.js';
export { requestPersistence, storageRoom, type StorageRoom } from './storage-room.js';
export type { Argon2Parameters, StoredDataKey, StoredIntake, StoredUnlock, VaultHeader, VaultProgress, VaultState } from './vault/header.js';
export type { VaultInfo, VaultUnlockInfo } from './vault/info.js';
export { createPasskey, usePasskey, type CreatePasskeyOptions, type UsePasskeyOptions } from './vault/passkey.js';
export type { DeviceUnlock, KeyUnlock, PasskeyUnlock, PassphraseUnlock, VaultUnlock } from './vault/unlock.js';
export { requestWebLock, type RequestWriter, type WriterLock } from './writer-lock.js';
