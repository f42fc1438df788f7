/** The inbox: what the client hands over to the app until the app acknowledges it (promise G10). */

import type { Member, MemberIdentity } from './identity.js';
import type { CommittedProposal, Proposal, ProposalSender } from './proposals.js';

/** What all items of the inbox have. */
export interface InboxItemBase {
  /** The id of the delivery service's entry, or one made from it: the same at every delivery. */
  readonly id: string;
  /** Order of arrival. */
  readonly sequence: number;
  /** The group it belongs to. */
  readonly groupId: Uint8Array;
  /** Position in the delivery service's log, where there is one. */
  readonly position?: number;
}

/** An application message of another member. */
export interface MessageItem extends InboxItemBase {
  /** An application message. */
  readonly kind: 'message';
  /** Who sent it. */
  readonly sender: Member;
  /** The epoch it was sent in. */
  readonly epoch: bigint;
  /** The decrypted content. */
  readonly plaintext: Uint8Array;
  /** What travelled with it in the clear, authenticated (RFC 9420 §6.3.1). */
  readonly authenticatedData: Uint8Array;
}

/** A message of this client, as sent. */
export interface SentItem extends InboxItemBase {
  /** An own message. */
  readonly kind: 'sent';
  /** The epoch it was first encrypted for. */
  readonly epoch: bigint;
  /** The content. */
  readonly plaintext: Uint8Array;
}

/** A proposal that is now pending (RFC 9420 §12.1). */
export interface ProposalItem extends InboxItemBase {
  /** A proposal. */
  readonly kind: 'proposal';
  /** Who proposed. */
  readonly sender: ProposalSender;
  /** The epoch it is for. */
  readonly epoch: bigint;
  /** The proposal reference (RFC 9420 §5.2), by which a commit names it. */
  readonly reference: Uint8Array;
  /** What it says. */
  readonly proposal: Proposal;
}

/** A member whose credential or signature key a commit replaced. */
export interface UpdatedMember {
  /** The member in the epoch that the commit ended. */
  readonly before: Member;
  /** The member now. */
  readonly after: Member;
}

/** A commit that has been merged; `epoch` is the new one. */
export interface CommitItem extends InboxItemBase {
  /** A commit. */
  readonly kind: 'commit';
  /** Whether it is this client's own, come back from the delivery service. */
  readonly own: boolean;
  /** Whether its sender joined by it (RFC 9420 §12.4.3.2). */
  readonly external: boolean;
  /** As it was before the commit or, if it joined by it, as it is now. */
  readonly sender?: Member | undefined;
  /** The epoch it leads to. */
  readonly epoch: bigint;
  /** Whom it added, a client that joined by it included. */
  readonly added: readonly MemberIdentity[];
  /** Whom it removed. */
  readonly removed: readonly Member[];
  /** Whose credential or signature key it replaced. */
  readonly updated: readonly UpdatedMember[];
  /** This client is no longer a member. */
  readonly selfRemoved: boolean;
  /** Id of the own commit that lost against this one. */
  readonly superseded?: string | undefined;
  /** The proposals that it carried out, in order. */
  readonly proposals: readonly CommittedProposal[];
}

/** A group joined by a Welcome. */
export interface JoinedItem extends InboxItemBase {
  /** A group joined. */
  readonly kind: 'joined';
  /** The epoch of the Welcome. */
  readonly epoch: bigint;
}

/** An entry that can never be processed, or that the app refused; the cursor has moved past it. */
export interface FailedItem extends InboxItemBase {
  /** A failure for good. */
  readonly kind: 'failed';
  /** The code of the error; `credential-rejected` if the app refused it. */
  readonly code: string;
}

/** What the client hands over to the app until the app acknowledges it (promise G10). */
export type InboxItem = MessageItem | SentItem | ProposalItem | CommitItem | JoinedItem | FailedItem;
