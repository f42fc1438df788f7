/** Groups. */

import type { Member } from './identity.js';
import type { Extension } from './proposals.js';
import type { GroupOptions, GroupSettings, JoinOptions } from './settings.js';

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
  /** RFC 9420 §17.1. */
  readonly ciphersuite: number;
  /** What the last commit proved its committer's knowledge of the epoch by (RFC 9420 §8.1). */
  readonly confirmationTag: Uint8Array;
  /** The extensions of the group context (RFC 9420 §8.1). */
  readonly extensions: readonly Extension[];
  /** How the group treats its messages here. */
  readonly settings: GroupSettings;
}

/**
 * What `MlsClient` offers for groups.
 * @internal
 */
export interface GroupApi {
  createGroup(groupId?: Uint8Array, options?: GroupOptions): Uint8Array;
  listGroups(): Uint8Array[];
  groupInfo(groupId: Uint8Array): GroupInfo;
  deleteGroup(groupId: Uint8Array): void;
  joinGroup(welcome: Uint8Array, options?: JoinOptions): Uint8Array;
}
