/** The outbox: what the delivery service has not answered yet (promise G10). */

import type { MemberIdentity } from './identity.js';

/** A message, proposal or commit on its way to the delivery service. Stays until that has answered (promise G10). */
export interface OutboxEntry {
  /** The id to upload it under. */
  readonly id: string;
  /** Order of creation. */
  readonly sequence: number;
  /** What it is. */
  readonly kind: 'message' | 'proposal' | 'commit';
  /** The group it belongs to. */
  readonly groupId: Uint8Array;
  /** The epoch `bytes` belong to. */
  readonly epoch: bigint;
  /** What to upload, always the same under one id and epoch; null until a pending proposal has been committed. */
  readonly bytes: Uint8Array | null;
  /** Of a message: what is sent. */
  readonly plaintext?: Uint8Array;
  /** What travels in the clear with it (RFC 9420 §6.1). */
  readonly authenticatedData: Uint8Array;
  /** Of a proposal: its ProposalRef (RFC 9420 §5.2). */
  readonly proposalReference?: Uint8Array;
  /** Of a commit that adds members: the Welcome for them (RFC 9420 §12.4.3.1). */
  readonly welcome?: Uint8Array;
  /** Of a commit: whom it adds. */
  readonly added: readonly MemberIdentity[];
  /** Of a commit: whom it removes. */
  readonly removed: readonly MemberIdentity[];
}

/** What an upload says about the state that it was made in: a delivery service accepts it behind the last one only. */
export interface UploadLink {
  /** The link of the upload that was accepted before, 32 bytes; undefined for the first. */
  readonly previous?: Uint8Array;
  /** The link of this upload, 32 bytes. */
  readonly link: Uint8Array;
}
