/** The outbox: what the delivery service has not answered yet (promise G10). */

import type { MemberIdentity } from './identity.js';

/** A message, proposal or commit on its way to the delivery service. Stays until that has answered (promise G10). */
export interface OutboxEntry {
  readonly id: string;
  /** Order of creation. */
  readonly sequence: number;
  readonly kind: 'message' | 'proposal' | 'commit';
  readonly groupId: Uint8Array;
  /** The epoch `bytes` belong to. */
  readonly epoch: bigint;
  /** What to upload, always the same under one id and epoch; null until a pending proposal has been committed. */
  readonly bytes: Uint8Array | null;
  /** Of a message: what is sent. */
  readonly plaintext?: Uint8Array;
  /** Of a commit that adds members: the Welcome for them (RFC 9420 §12.4.3.1). */
  readonly welcome?: Uint8Array;
  readonly added: readonly MemberIdentity[];
  readonly removed: readonly MemberIdentity[];
}
