/** Commits. */

import type { OutboxEntry } from './outbox.js';

/**
 * What `MlsClient` offers for commits.
 * @internal
 */
export interface CommitApi {
  addMembers(groupId: Uint8Array, keyPackages: readonly Uint8Array[], id?: string): OutboxEntry;
  removeMembers(groupId: Uint8Array, leafIndexes: readonly number[], id?: string): OutboxEntry;
  selfUpdate(groupId: Uint8Array, id?: string): OutboxEntry;
  commitPendingProposals(groupId: Uint8Array, id?: string): OutboxEntry;
  leaveGroup(groupId: Uint8Array, id?: string): OutboxEntry;
  rejectCommit(id: string): void;
  mergePendingCommit(groupId: Uint8Array): void;
  clearPendingCommit(groupId: Uint8Array): void;
}
