/** Inspecting what came in, and deciding on credentials. */

import type { Member, MemberIdentity } from './identity.js';
import type { Proposal } from './proposals.js';

/**
 * A credential that enters a group, with the signature key it is bound to (RFC 9420 §5.3.1).
 *
 * - `added`: its owner is added;
 * - `external-join`: its owner joins by external commit;
 * - `updated`: it replaces that of `before`, and must be a valid successor of it;
 * - `member`: its owner is a member, at `leafIndex`, of the group that this client joins;
 * - `external-sender`: its owner may propose from outside (RFC 9420 §12.1.8.1).
 */
export interface CredentialToValidate extends MemberIdentity {
  /** How it enters. */
  readonly reason: 'added' | 'external-join' | 'updated' | 'member' | 'external-sender';
  /** Of `updated`: the member as it was. */
  readonly before?: Member;
  /** Of `member`: the place in the ratchet tree. */
  readonly leafIndex?: number;
}

/** Where a credential would enter. */
export interface CredentialContext {
  /** The group. */
  readonly groupId: Uint8Array;
  /** The epoch that the group is in, or that a Welcome leads to; undefined for a key package handed in. */
  readonly epoch?: bigint;
}

/**
 * Decides whether a credential may enter a group. Whatever is not `true` is a refusal, for ever. To throw or reject is no
 * answer: the call rejects with `validator-failed` and nothing has changed.
 *
 * It may take its time: calls for the same group wait, others go on.
 */
export type CredentialValidator = (
  credential: CredentialToValidate,
  context: CredentialContext,
) => boolean | Promise<boolean>;

/** What a Welcome leads to (RFC 9420 §12.4.3.1). */
export interface WelcomeInfo {
  /** The group. */
  readonly groupId: Uint8Array;
  /** The epoch that is joined. */
  readonly epoch: bigint;
  /** RFC 9420 §17.1. */
  readonly ciphersuite: number;
  /** Who added this client. */
  readonly sender?: Member;
  /** The members, this client included. */
  readonly members: readonly Member[];
  /** The pre-shared keys that the epoch rests on. */
  readonly psks: readonly Proposal[];
  /** Every credential in the group: those of the members and of the external senders. */
  readonly credentials: readonly CredentialToValidate[];
}
