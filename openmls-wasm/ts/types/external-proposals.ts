/** Proposals from outside a group. */

import type { OutboxEntry } from './outbox.js';
import type { Extension } from './proposals.js';

/** Where a proposal from outside goes: what a group info or the delivery service says of the group. */
export interface ProposalTarget {
  /** The group. */
  readonly groupId: Uint8Array;
  /** The epoch that it is in; in a later one, the proposal is refused. */
  readonly epoch: bigint;
}

/**
 * What `MlsClient` offers for proposals from outside a group.
 * @internal
 */
export interface ExternalProposalApi {
  /** Proposes an addition as an external sender. */
  proposeExternalAdd(target: ProposalTarget, senderIndex: number, keyPackage: Uint8Array, id?: string): OutboxEntry;
  /** Proposes a removal as an external sender. */
  proposeExternalRemove(target: ProposalTarget, senderIndex: number, leafIndex: number, id?: string): OutboxEntry;
  /** Proposes other group context extensions as an external sender. */
  proposeExternalGroupContextExtensions(
    target: ProposalTarget,
    senderIndex: number,
    extensions: readonly Extension[],
    id?: string,
  ): OutboxEntry;
  /** Asks to be added. */
  proposeJoin(target: ProposalTarget, keyPackage: Uint8Array, id?: string): OutboxEntry;
}
