/** Groups. */

import type { Member } from './identity.js';

/** A group as this client sees it now. */
export interface GroupInfo {
  /** The group id (RFC 9420 §8.1). */
  readonly groupId: Uint8Array;
  /** The epoch (RFC 9420 §8.1). */
  readonly epoch: bigint;
  /** RFC 9420 §8.7: equal in two members if, and only if, they agree on the group's whole state. */
  readonly epochAuthenticator: Uint8Array;
  /** The own place in the ratchet tree. */
  readonly ownLeafIndex: number;
  /** False after this client was removed or has left. */
  readonly isActive: boolean;
  /** Whether an own commit waits to be merged or cleared. */
  readonly hasPendingCommit: boolean;
  /** The number of proposals that wait for a commit. */
  readonly pendingProposals: number;
  /** The members, by leaf index. */
  readonly members: readonly Member[];
}

/**
 * What `MlsClient` offers for groups.
 * @internal
 */
export interface GroupApi {
  createGroup(groupId?: Uint8Array): Uint8Array;
  listGroups(): Uint8Array[];
  groupInfo(groupId: Uint8Array): GroupInfo;
  deleteGroup(groupId: Uint8Array): void;
  joinGroup(welcome: Uint8Array, ratchetTree?: Uint8Array): Uint8Array;
}
