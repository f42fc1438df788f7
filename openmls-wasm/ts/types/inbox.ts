/** The inbox: what the client hands over to the app until the app acknowledges it (promise G10). */

import type { Member, MemberIdentity } from './identity.js';

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

/** A proposal of another member, now pending (RFC 9420 §12.1). */
export interface ProposalItem extends InboxItemBase {
  /** A proposal. */
  readonly kind: 'proposal';
  /** Who proposed. */
  readonly sender: Member;
  /** The epoch it is for. */
  readonly epoch: bigint;
}

/** A commit that has been merged; `epoch` is the new one. */
export interface CommitItem extends InboxItemBase {
  /** A commit. */
  readonly kind: 'commit';
  /** Whether it is this client's own, come back from the delivery service. */
  readonly own: boolean;
  /** Undefined for an external commit. */
  readonly sender?: Member | undefined;
  /** The epoch it leads to. */
  readonly epoch: bigint;
  /** Whom it added. */
  readonly added: readonly MemberIdentity[];
  /** Whom it removed. */
  readonly removed: readonly Member[];
  /** This client is no longer a member. */
  readonly selfRemoved: boolean;
  /** Id of the own commit that lost against this one. */
  readonly superseded?: string | undefined;
}

/** A group joined by a Welcome. */
export interface JoinedItem extends InboxItemBase {
  /** A group joined. */
  readonly kind: 'joined';
  /** The epoch of the Welcome. */
  readonly epoch: bigint;
}

/** An entry that can never be processed; the cursor has moved past it. */
export interface FailedItem extends InboxItemBase {
  /** A failure for good. */
  readonly kind: 'failed';
  /** The code of the error. */
  readonly code: string;
}

/** What the client hands over to the app until the app acknowledges it (promise G10). */
export type InboxItem = MessageItem | SentItem | ProposalItem | CommitItem | JoinedItem | FailedItem;
