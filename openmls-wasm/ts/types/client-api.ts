/** The synchronous client in wasm, whole. */

import type { CommitApi } from './commits.js';
import type { ExternalApi } from './external.js';
import type { ExternalProposalApi } from './external-proposals.js';
import type { GroupApi } from './groups.js';
import type { IdentityApi } from './identity.js';
import type { KeyPackageApi } from './key-packages.js';
import type { MessageApi } from './messages.js';
import type { ProposalApi } from './requests.js';
import type { ReceivingApi } from './receiving.js';
import type { RecoveryApi } from './recovery.js';
import type { SettingsApi } from './settings.js';
import type { SnapshotApi } from './snapshots.js';
import type { StorageApi, StorageRecord } from './storage.js';

/**
 * The synchronous client in wasm.
 *
 * Every method either returns, or throws an `Error` named `MlsError` with a `code` and has then changed nothing.
 * Anything else that is thrown is a panic: the instance is poisoned and must be discarded.
 * @internal
 */
export interface MlsClientApi
  extends StorageApi,
    IdentityApi,
    KeyPackageApi,
    GroupApi,
    SettingsApi,
    ProposalApi,
    CommitApi,
    ExternalApi,
    ExternalProposalApi,
    MessageApi,
    ReceivingApi,
    RecoveryApi,
    SnapshotApi {
  /** Every record in memory, secrets included. Only in builds with the feature `test-hooks`. */
  records?(): StorageRecord[];
  /** Only in builds with the feature `test-hooks`. */
  panicForTest?(): void;
}
