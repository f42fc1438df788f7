/** After a fork: adding the others again, or going on in a new group. */

import type { OutboxEntry } from './outbox.js';
import type { Extension } from './proposals.js';

/** The group that takes the place of another. */
export interface Reboot {
  /** Whom it has besides this client: framed key packages. */
  readonly keyPackages: readonly Uint8Array[];
  /** Default: a random id. */
  readonly groupId?: Uint8Array | undefined;
  /** Its group context extensions; default those of the old group. */
  readonly extensions?: readonly Extension[] | undefined;
  /** RFC 9420 §17.1, of this client's signature scheme; default: that of the old group. */
  readonly ciphersuite?: number | undefined;
  /** Ids of external pre-shared keys that its members must have. */
  readonly externalPsks?: readonly Uint8Array[] | undefined;
}

/**
 * What `MlsClient` offers for recovery from a fork.
 * @internal
 */
export interface RecoveryApi {
  recoverForkByReadding(
    groupId: Uint8Array,
    ownPartition: readonly number[],
    keyPackages: readonly Uint8Array[],
    id?: string,
  ): OutboxEntry;
  abandonFork(groupId: Uint8Array, lastCommonEpoch: bigint): void;
  rebootGroup(groupId: Uint8Array, options: Reboot, id?: string): OutboxEntry;
}
