/** Groups. */

import type { Member } from './identity.js';

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

/** What `MlsClient` offers for groups. */
export interface GroupApi {
  createGroup(groupId?: Uint8Array): Uint8Array;
  listGroups(): Uint8Array[];
  groupInfo(groupId: Uint8Array): GroupInfo;
  deleteGroup(groupId: Uint8Array): void;
  joinGroup(welcome: Uint8Array): Uint8Array;
}
