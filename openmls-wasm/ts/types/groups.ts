/** Groups. */

import type { Member } from './identity.js';
import type { Extension } from './proposals.js';
import type { GroupOptions, GroupSettings, JoinOptions } from './settings.js';
import type { StorageRecord } from './storage.js';

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

/** A group in a list of conversations. */
export interface GroupSummary {
  /** The group id (RFC 9420 §8.1). */
  readonly groupId: Uint8Array;
  /** What the app calls it, by `setGroupName`; empty if it does not. */
  readonly name: Uint8Array;
  /** The epoch (RFC 9420 §8.1). */
  readonly epoch: bigint;
  /** How many members it has, this client included. */
  readonly memberCount: number;
  /**
   * What this client is in it: a former member was removed, or has left. `inert`: the group is known from a snapshot only, and
   * to be a member again this client joins it by `joinByExternalCommit`. `unreadable`: the record of the summary is damaged, and
   * nothing else in it is known; the group itself may be whole.
   */
  readonly role: 'member' | 'former-member' | 'inert' | 'unreadable';
}

/** Which part of a list is wanted. */
export interface GroupPageOptions {
  /** Begin behind the group with this id: the last of the page before. Default: at the first. */
  readonly after?: Uint8Array | undefined;
  /** How many groups at most; default 100, at most 1000. */
  readonly limit?: number | undefined;
}

/** A part of a list. */
export interface GroupPage {
  /** The groups, in the order of their ids. */
  readonly groups: readonly GroupSummary[];
  /** What `after` is to be for the next part; undefined if this is the last. */
  readonly next: Uint8Array | undefined;
}

/**
 * What `MlsClient` offers for groups.
 * @internal
 */
export interface GroupApi {
  createGroup(groupId?: Uint8Array, options?: GroupOptions): Uint8Array;
  listGroups(): Uint8Array[];
  groupSummaries(stored: readonly StorageRecord[], after?: Uint8Array, until?: Uint8Array): GroupSummary[];
  setGroupName(groupId: Uint8Array, name: Uint8Array): void;
  groupInfo(groupId: Uint8Array): GroupInfo;
  deleteGroup(groupId: Uint8Array): void;
  noteQuarantined(groupId: Uint8Array, readable: readonly StorageRecord[]): void;
  joinGroup(welcome: Uint8Array, options?: JoinOptions): Uint8Array;
}
