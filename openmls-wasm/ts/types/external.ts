/** Group infos, ratchet trees, exported secrets, and joining by oneself. */

import type { Member } from './identity.js';
import type { CredentialToValidate } from './inspection.js';
import type { KeyPackageCapabilities } from './key-packages.js';
import type { OutboxEntry } from './outbox.js';
import type { GroupSettings } from './settings.js';

/** What a group info says of itself (RFC 9420 §12.4.3). Nothing of it is verified: only joining does that. */
export interface GroupInfoDetails {
  /** The group it is of. */
  readonly groupId: Uint8Array;
  /** The epoch it describes; a commit made from it leads to the next. */
  readonly epoch: bigint;
  /** RFC 9420 §17.1. */
  readonly ciphersuite: number;
  /** Types of the extensions of the group info itself (RFC 9420 §17.3). */
  readonly extensions: readonly number[];
  /** Types of the extensions of the group context in it. */
  readonly groupContextExtensions: readonly number[];
  /** If not, the ratchet tree must come by another way (RFC 9420 §12.4.3.3). */
  readonly hasRatchetTree: boolean;
  /** If not, nobody can join by it. */
  readonly hasExternalPub: boolean;
  /** Leaf index of the member that signed it. */
  readonly signer: number;
}

/** What an external commit is made of, besides the group info (RFC 9420 §12.4.3.2). */
export interface ExternalJoin {
  /** For a group info that does not bring it. */
  readonly ratchetTree?: Uint8Array | undefined;
  /** Travels with the commit in the clear. */
  readonly authenticatedData?: Uint8Array | undefined;
  /** Ids of external pre-shared keys that the commit proposes; all members must have them. */
  readonly externalPsks?: readonly Uint8Array[] | undefined;
  /** SelfRemove proposals, as framed MLSMessages, of members that are leaving: they go with this commit. */
  readonly selfRemoves?: readonly Uint8Array[] | undefined;
  /** How the group treats its messages here; default as before if it is stored, or else as by the client's options. */
  readonly settings?: Partial<GroupSettings> | undefined;
  /** The app's own types that the leaf lists; default those of the client's options, and those of the old leaf. */
  readonly capabilities?: KeyPackageCapabilities | undefined;
}

/** What joining by external commit leads to; all of it is verified. */
export interface ExternalJoinInfo {
  /** The group. */
  readonly groupId: Uint8Array;
  /** The epoch that is joined. */
  readonly epoch: bigint;
  /** RFC 9420 §17.1. */
  readonly ciphersuite: number;
  /** The members, this client included. */
  readonly members: readonly Member[];
  /** Every credential in the group: those of the members and of the external senders. */
  readonly credentials: readonly CredentialToValidate[];
}

/**
 * What `MlsClient` offers for group infos, exported secrets and external commits.
 * @internal
 */
export interface ExternalApi {
  exportGroupInfo(groupId: Uint8Array, withRatchetTree: boolean): Uint8Array;
  exportRatchetTree(groupId: Uint8Array): Uint8Array;
  inspectGroupInfo(groupInfo: Uint8Array): GroupInfoDetails;
  joinByExternalCommit(groupInfo: Uint8Array, options: ExternalJoin, id?: string): OutboxEntry;
  inspectExternalJoin(groupInfo: Uint8Array, options: ExternalJoin): ExternalJoinInfo;
  acceptExternalJoin(id: string): Uint8Array;
  exportSecret(groupId: Uint8Array, label: string, context: Uint8Array, length: number): Uint8Array;
  safeExportSecret(groupId: Uint8Array, componentId: number): Uint8Array;
  safeExportPendingSecret(groupId: Uint8Array, componentId: number): Uint8Array;
}
