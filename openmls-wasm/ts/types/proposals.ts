/** Proposals and extensions. */

import type { Member, MemberIdentity } from './identity.js';

/** What every member must support (RFC 9420 §11.1), by the numbers of RFC 9420 §17. */
export interface RequiredCapabilitiesExtension {
  /** The extension `required_capabilities`. */
  readonly kind: 'required-capabilities';
  /** Extension types. */
  readonly extensionTypes: readonly number[];
  /** Proposal types. */
  readonly proposalTypes: readonly number[];
  /** Credential types. */
  readonly credentialTypes: readonly number[];
}

/** Who may propose from outside (RFC 9420 §12.1.8.1); a proposal names its sender by the place in the list. */
export interface ExternalSendersExtension {
  /** The extension `external_senders`. */
  readonly kind: 'external-senders';
  /** The senders. */
  readonly senders: readonly MemberIdentity[];
}

/** Any other extension (RFC 9420 §13). */
export interface OtherExtension {
  /** An extension that is not spelled out. */
  readonly kind: 'other';
  /** The extension type (RFC 9420 §17.3). */
  readonly extensionType: number;
  /** Its `extension_data`. */
  readonly data: Uint8Array;
}

/** An extension of a group context or of a leaf node (RFC 9420 §13). */
export type Extension = RequiredCapabilitiesExtension | ExternalSendersExtension | OtherExtension;

/** What a proposal says (RFC 9420 §12.1), told apart by `kind`. */
export type Proposal =
  | {
      readonly kind: 'add';
      /** Whom it adds. */
      readonly added: MemberIdentity;
    }
  | {
      /** Replace the proposer's leaf. */
      readonly kind: 'update';
      /** What the new leaf says of its owner. */
      readonly updated: MemberIdentity;
    }
  | {
      readonly kind: 'remove';
      /** The place in the ratchet tree. */
      readonly leafIndex: number;
      /** Undefined if there is no member at that leaf. */
      readonly removed?: Member;
    }
  | {
      /** The proposer leaves (MLS extensions draft). */
      readonly kind: 'self-remove';
    }
  | {
      readonly kind: 'external-psk';
      /** The id of the pre-shared key. */
      readonly pskId: Uint8Array;
    }
  | {
      readonly kind: 'resumption-psk';
      /** What the key is used for (RFC 9420 §8.4). */
      readonly usage: 'application' | 're-init' | 'branch';
      /** The group whose epoch it is. */
      readonly groupId: Uint8Array;
      /** The epoch. */
      readonly epoch: bigint;
    }
  | {
      /** The pre-shared key of a component of the app (MLS extensions draft). */
      readonly kind: 'application-psk';
      /** The component. */
      readonly componentId: number;
      /** The id of the pre-shared key. */
      readonly pskId: Uint8Array;
    }
  | {
      readonly kind: 're-init';
      /** The group to go on in. */
      readonly groupId: Uint8Array;
      /** Its version of the protocol. */
      readonly version: number;
      /** Its ciphersuite (RFC 9420 §17.1). */
      readonly ciphersuite: number;
      /** The extensions of its group context. */
      readonly extensions: readonly Extension[];
    }
  | {
      /** Part of every external commit. */
      readonly kind: 'external-init';
    }
  | {
      readonly kind: 'group-context-extensions';
      /** The new extensions, all of them. */
      readonly extensions: readonly Extension[];
    }
  | {
      /** The state of a component of the app (MLS extensions draft). */
      readonly kind: 'app-data-update';
      /** The component. */
      readonly componentId: number;
      /** The change; undefined: the state is removed. */
      readonly update?: Uint8Array;
    }
  | {
      /** Something of a component of the app that is gone with the epoch (MLS extensions draft). */
      readonly kind: 'app-ephemeral';
      /** The component. */
      readonly componentId: number;
      /** The content. */
      readonly data: Uint8Array;
    }
  | {
      readonly kind: 'app-defined';
      /** The type that the app has defined (RFC 9420 §17.4). */
      readonly proposalType: number;
      /** The content. */
      readonly payload: Uint8Array;
    };

/** Who made a proposal (RFC 9420 §6), told apart by `kind`. */
export type ProposalSender =
  | ({ readonly kind: 'member' } & Member)
  | {
      readonly kind: 'external';
      /** The place in the group's list of external senders. */
      readonly index: number;
    }
  | {
      /** A client that asks to be added. */
      readonly kind: 'new-member-proposal';
    }
  | {
      /** A client that joins by external commit. */
      readonly kind: 'new-member-commit';
    };

/** A proposal that a commit carried out. */
export interface CommittedProposal {
  /** Who made it; of one that is part of the commit, the committer. */
  readonly sender: ProposalSender;
  /** Whether it had been sent before, by itself. */
  readonly byReference: boolean;
  /** What it says. */
  readonly proposal: Proposal;
}
