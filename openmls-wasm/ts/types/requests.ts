/** What a client proposes and commits. */

import type { Credential } from './identity.js';
import type { KeyPackageCapabilities } from './key-packages.js';
import type { OutboxEntry } from './outbox.js';
import type { Extension, Proposal, ProposalSender } from './proposals.js';

/** What is to change in the own leaf of a group (RFC 9420 §7.2). Its HPKE key always does. */
export interface LeafUpdate {
  /** The new credential; a certificate chain is for the leaf's signature key or for one of `generateSignatureKey`. */
  readonly credential?: Credential | undefined;
  /** Whether the leaf gets a new signature key; default false. */
  readonly newSignatureKey?: boolean | undefined;
  /** The app's own types that the leaf lists; default unchanged. */
  readonly capabilities?: KeyPackageCapabilities | undefined;
  /** The extensions of the leaf, all of them; default unchanged. */
  readonly extensions?: readonly Extension[] | undefined;
}

/** What a client proposes, by itself or inside a commit (RFC 9420 §12.1), told apart by `kind`. */
export type ProposalRequest =
  | {
      readonly kind: 'add';
      /** The framed key package of whom to add. */
      readonly keyPackage: Uint8Array;
    }
  | {
      /** Remove a member. By itself also this client, which then leaves. */
      readonly kind: 'remove';
      /** Its place in the ratchet tree. */
      readonly leafIndex: number;
    }
  /** Replace the own leaf. Not inside a commit, which does it by `CommitRequest.leaf`. */
  | ({ readonly kind: 'update' } & LeafUpdate)
  | {
      /** Leave (MLS extensions draft). Not inside a commit; needs a wire format policy that sends plaintext. */
      readonly kind: 'self-remove';
    }
  | {
      /** Mix in an external pre-shared key; who does not have it cannot follow. */
      readonly kind: 'external-psk';
      /** The id it was stored under, with `storeExternalPsk`. */
      readonly pskId: Uint8Array;
    }
  | {
      /** Mix in the resumption PSK of a past epoch of the group; who was no member then cannot follow. */
      readonly kind: 'resumption-psk';
      /** The epoch. */
      readonly epoch: bigint;
    }
  | {
      /** Replace the extensions of the group context. Those of the app must be among the required capabilities. */
      readonly kind: 'group-context-extensions';
      /** The new extensions, all of them. */
      readonly extensions: readonly Extension[];
    }
  | {
      /** Something that is gone with the epoch (MLS extensions draft). Only inside a commit. */
      readonly kind: 'app-ephemeral';
      /** The component of the app that it is for. */
      readonly componentId: number;
      /** The content. */
      readonly data: Uint8Array;
    }
  | {
      readonly kind: 'app-defined';
      /** The type that the app has defined (RFC 9420 §17.4); every member's leaf must list it. */
      readonly proposalType: number;
      /** The content. */
      readonly payload: Uint8Array;
    };

/** What a commit is to do (RFC 9420 §12.4). */
export interface CommitRequest {
  /** What it proposes itself; those that wait in the group are committed by reference. Default nothing. */
  readonly proposals?: readonly ProposalRequest[] | undefined;
  /** Whether it contains what waits in the group, as far as that can be committed; default true. The rest is gone with the epoch. */
  readonly includePending?: boolean | undefined;
  /** Whether the own leaf gets a new HPKE key even if nothing asks for that; default false. */
  readonly forceSelfUpdate?: boolean | undefined;
  /** What else of the own leaf changes. */
  readonly leaf?: LeafUpdate | undefined;
  /** Travels in the clear with the commit (RFC 9420 §6.1). */
  readonly authenticatedData?: Uint8Array | undefined;
}

/** What a proposal is sent with. */
export interface ProposeOptions {
  /** Travels in the clear with the proposal (RFC 9420 §6.1). */
  readonly authenticatedData?: Uint8Array | undefined;
  /** The id of the outbox entry; default 32 random hex digits. */
  readonly id?: string | undefined;
}

/** A proposal that waits for a commit. */
export interface PendingProposal {
  /** ProposalRef (RFC 9420 §5.2), by which a commit names it. */
  readonly reference: Uint8Array;
  /** Who made it. */
  readonly sender: ProposalSender;
  /** What it says. */
  readonly proposal: Proposal;
}

/**
 * What `MlsClient` offers for proposals and external pre-shared keys.
 * @internal
 */
export interface ProposalApi {
  /** Proposes a change of the group. */
  propose(groupId: Uint8Array, proposal: ProposalRequest, authenticatedData?: Uint8Array, id?: string): OutboxEntry;
  /** Commits. */
  commit(groupId: Uint8Array, request: CommitRequest, id?: string): OutboxEntry;
  /** The proposals that wait for a commit, in order. */
  pendingProposals(groupId: Uint8Array): PendingProposal[];
  /** Drops every proposal that waits. */
  clearPendingProposals(groupId: Uint8Array): void;
  /** Drops one proposal that waits. */
  removePendingProposal(groupId: Uint8Array, reference: Uint8Array): void;
  /** Stores an external pre-shared key. */
  storeExternalPsk(pskId: Uint8Array, psk: Uint8Array): void;
  /** Deletes an external pre-shared key. */
  deleteExternalPsk(pskId: Uint8Array): void;
  /** The ids of the external pre-shared keys that are stored. */
  externalPsks(): Uint8Array[];
}
